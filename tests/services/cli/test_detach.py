"""A stack in the background: its start is reported, its trouble is one sentence, and Ctrl-C takes it back."""

import io
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from deploy.local.stack.errors import StackError
from deploy.local.stack.options import StackOptions
from deploy.local.stack.paths import DataPaths
from services.cli import detach
from services.cli.presenter import JsonPresenter
from tests.deploy.local.stack.children import is_gone

_SUPERVISOR = """
import json, os, signal, sys
report_to = int(sys.argv[sys.argv.index("--report-to") + 1])
def report(**content): os.write(report_to, (json.dumps(content) + "\\n").encode())
"""


class Seen(JsonPresenter):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.steps: list[tuple[str, str]] = []
        self.readies: list[tuple[dict[str, Any], str | None]] = []

    def step(self, name: str, title: str, state: str) -> None:
        self.steps.append((name, state))

    def ready(self, state: dict[str, Any], api_key: str | None) -> None:
        self.readies.append((state, api_key))


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Every process that was started; `script` first, to be set by the test."""
    found: list[Any] = [""]
    real = subprocess.Popen

    def popen(command: list[str], **rest: Any) -> Any:
        script = [sys.executable, "-I", "-S", "-c", _SUPERVISOR + found[0], *command[3:]]
        found.append(real(script, **rest))
        return found[-1]

    monkeypatch.setattr("subprocess.Popen", popen)
    return found


def run(tmp_path: Path) -> Seen:
    seen = Seen()
    detach.run_detached(StackOptions(data_dir=tmp_path), None, seen)
    return seen


def test_a_start_is_followed_to_its_end_and_lives_on(tmp_path: Path, started: list[Any]) -> None:
    started[0] = (
        "report(name='edge', title='edge', state='ready')\n"
        "report(ready={'model': 'm'}, api_key='k'); signal.pause()"
    )
    seen = run(tmp_path)
    assert seen.steps == [("edge", "ready")]
    assert seen.readies == [({"model": "m"}, "k")]
    assert not is_gone(started[1].pid)
    os.kill(started[1].pid, 9)
    os.waitpid(started[1].pid, 0)


def test_trouble_is_one_sentence_and_its_process_is_gone(tmp_path: Path, started: list[Any]) -> None:
    started[0] = "report(problem='Port 1 is taken.'); signal.pause()"
    with pytest.raises(StackError, match=r"^Port 1 is taken\.$"):
        run(tmp_path)
    assert is_gone(started[1].pid)


def test_a_supervisor_that_dies_is_one_sentence_and_its_log_is_kept(
    tmp_path: Path, started: list[Any]
) -> None:
    started[0] = "print('deep trouble'); sys.exit(3)"
    with pytest.raises(StackError, match=r"supervisor\.log"):
        run(tmp_path)
    assert (DataPaths(tmp_path).logs / "supervisor.log").read_text() == "deep trouble\n"


def test_a_change_of_mind_takes_the_start_back(
    tmp_path: Path, started: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    started[0] = "signal.pause()"

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(detach, "_follow", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path)
    assert is_gone(started[1].pid)


def test_every_choice_is_handed_on(tmp_path: Path) -> None:
    options = StackOptions(
        data_dir=tmp_path,
        port=9,
        model="m",
        further_models=("n",),
        replicas=3,
        routers=2,
        engine="simulated",
        kafka="k:1",
        clickhouse="http://c",
    )
    handed = detach._arguments(options, tmp_path / "c.yaml")
    assert handed == [
        f"--data-dir={tmp_path}",
        "--port=9",
        "--model=m",
        "--model=n",
        "--replicas=3",
        "--routers=2",
        "--engine=simulated",
        "--kafka=k:1",
        "--clickhouse=http://c",
        "--no-embeddings",
        "--no-console",
        f"--config={tmp_path / 'c.yaml'}",
    ]
    handed = detach._arguments(StackOptions(data_dir=tmp_path, embedding_model="e", console=True), None)
    assert handed[-2:] == ["--embeddings", "--console"]


def test_a_broken_off_report_is_one_sentence() -> None:
    with pytest.raises(StackError):
        detach._follow(io.StringIO(""), Seen())
