"""A whole stack is declared in one file: what is started, and what is laid over its settings."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.local.stack.options import DEFAULT_PORT, StackOptions
from services.cli.stack_file import overrides_of
from tests.services.cli.running import Terminal

EVERYTHING = {
    "data_dir": "elsewhere",
    "port": 9400,
    "model": ["a/b", "c/d"],
    "replicas": 2,
    "routers": 3,
    "embeddings": False,
    "console": False,
    "engine": "simulated",
    "kafka": "127.0.0.1:9092",
    "clickhouse": "http://127.0.0.1:8123",
}


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[StackOptions]:
    """The options of every stack that would have been started."""
    found: list[StackOptions] = []
    monkeypatch.setattr("services.cli.supervising.supervise", lambda options, *_: found.append(options))
    return found


def written(folder: Path, content: Any) -> str:
    file = folder / "stack.yaml"
    file.write_text(yaml.safe_dump(content))
    return str(file)


def test_every_option_of_a_stack_can_be_declared(
    terminal: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, started: list[StackOptions]
) -> None:
    monkeypatch.chdir(tmp_path)
    file = written(tmp_path, {"stack": EVERYTHING, "usage": {"retention_days": 14}})
    assert terminal.comptoir("up", "--config", file).status == 0
    (options,) = started
    assert options == StackOptions(
        data_dir=tmp_path / "elsewhere",
        port=9400,
        model="a/b",
        further_models=("c/d",),
        replicas=2,
        routers=3,
        engine="simulated",
        kafka="127.0.0.1:9092",
        clickhouse="http://127.0.0.1:8123",
        embedding_model="",
        overrides={"usage": {"retention_days": 14}},
        overrides_file=file,
    )


def test_the_command_line_wins_wherever_it_stands(
    terminal: Terminal, tmp_path: Path, started: list[StackOptions]
) -> None:
    file = written(tmp_path, {"stack": {"port": 9400, "routers": 2, "model": "a/b"}})
    data = ("--data-dir", str(tmp_path / "data"))
    terminal.comptoir("up", "--port", "9500", "--config", file, *data)
    terminal.comptoir("up", "--config", file, "--port", "9500", *data)
    assert [(one.port, one.routers, one.model) for one in started] == [(9500, 2, "a/b")] * 2


def test_a_file_without_a_stack_leaves_every_default(
    terminal: Terminal, tmp_path: Path, started: list[StackOptions]
) -> None:
    terminal.comptoir("up", "--config", written(tmp_path, {}), "--data-dir", str(tmp_path / "data"))
    assert (started[0].port, started[0].replicas) == (DEFAULT_PORT, 1)


@pytest.mark.parametrize(
    ("stack", "says"),
    [
        (["port"], "stack must be a mapping"),
        ({"prot": 1}, "stack has no prot; it may have data_dir, port"),
        ({"detach": True}, "stack has no detach"),
        ({"port": None}, "without a value"),
    ],
)
def test_what_no_stack_has_is_one_sentence(
    terminal: Terminal, tmp_path: Path, stack: Any, says: str, started: list[StackOptions]
) -> None:
    assert says in terminal.refusal("up", "--config", written(tmp_path, {"stack": stack}))
    assert started == []


@pytest.mark.parametrize("stack", [{"port": "x"}, {"routers": 9}, {"engine": "steam"}])
def test_a_value_that_no_option_takes_is_refused_by_its_option(
    terminal: Terminal, tmp_path: Path, stack: dict[str, Any], started: list[StackOptions]
) -> None:
    said = terminal.comptoir("up", "--config", written(tmp_path, {"stack": stack}))
    assert (said.status, f"--{next(iter(stack))}" in said.err, started) == (2, True, [])


def test_settings_know_nothing_of_the_stack(tmp_path: Path) -> None:
    file = Path(written(tmp_path, {"stack": {"port": 9400}, "log_level": "debug"}))
    assert overrides_of(file) == {"log_level": "debug"}
    assert overrides_of(None) == {}
