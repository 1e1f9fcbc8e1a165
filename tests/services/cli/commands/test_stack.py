"""status, logs and down: what they say of a stack that runs, that ended, that never was."""

import json
import os
import subprocess
import sys

import pytest

from deploy.local.stack.paths import DataPaths
from deploy.local.stack.state import take_lock
from tests.services.cli.running import Terminal

_HOLDER = """
import signal, sys
from pathlib import Path
from deploy.local.stack.paths import DataPaths
from deploy.local.stack.state import take_lock
{before}
take_lock(DataPaths(Path(sys.argv[1])))
print("held", flush=True)
signal.pause()
"""


def holder(paths: DataPaths, before: str = "") -> "subprocess.Popen[bytes]":
    started = subprocess.Popen(
        [sys.executable, "-c", _HOLDER.format(before=before), str(paths.root)], stdout=subprocess.PIPE
    )
    assert started.stdout is not None
    assert started.stdout.readline() == b"held\n"
    return started


def test_status_tells_scripts_everything_in_one_object(terminal: Terminal, paths: DataPaths) -> None:
    lock = take_lock(paths)
    said = terminal.comptoir("status", "--json", "--data-dir", str(paths.root))
    os.close(lock)
    content = json.loads(said.out)
    assert said.status == 0
    wanted = {"base_url", "clickhouse_url", "kafka", "grpc", "model", "data_dir", "processes"}
    assert wanted <= set(content)
    assert "api_key" not in content
    (edge,) = content["processes"]
    assert {"name": "edge", "pid": 8, "state": "ready", "restarts": 2}.items() <= edge.items()
    assert content["phase"] == "ready"


def test_status_of_a_stack_that_ended_says_so_and_exits_with_three(
    terminal: Terminal, paths: DataPaths
) -> None:
    said = terminal.comptoir("status", "--data-dir", str(paths.root))
    assert said.status == 3
    assert said.out.startswith("stopped: ")
    content = json.loads(terminal.comptoir("status", "--json", "--data-dir", str(paths.root)).out)
    assert (content["phase"], content["processes"][0]["pid"]) == ("stopped", None)


def test_down_stops_whoever_holds_the_folder_whatever_the_state_says(
    terminal: Terminal, paths: DataPaths
) -> None:
    with holder(paths) as supervisor:
        said = terminal.comptoir("down", "--data-dir", str(paths.root))
        assert supervisor.wait(10) != 0
    assert (said.status, said.out) == (0, "Stopped; nothing was left running.\n")
    assert terminal.comptoir("down", "--data-dir", str(paths.root)).out.startswith("Nothing runs in ")


def test_down_gives_up_in_time(terminal: Terminal, paths: DataPaths) -> None:
    with holder(paths, "signal.signal(signal.SIGTERM, signal.SIG_IGN)") as supervisor:
        sentence = terminal.refusal("down", "--timeout-seconds", "0.2", "--data-dir", str(paths.root))
        supervisor.kill()
    assert "still drains" in sentence


def test_logs_of_one_process_and_of_all(terminal: Terminal, paths: DataPaths) -> None:
    (paths.logs / "edge.log").write_text('{"event": "one"}\n{"event": "[two]"}\n')
    (paths.logs / "router.log").write_text('{"event": "three"}\n')
    one = terminal.comptoir("logs", "edge", "--lines", "1", "--data-dir", str(paths.root))
    assert one.out == '{"event": "[two]"}\n'
    every = terminal.comptoir("logs", "--data-dir", str(paths.root)).out.splitlines()
    assert every == [
        'edge       {"event": "one"}',
        'edge       {"event": "[two]"}',
        'router     {"event": "three"}',
    ]


def test_a_log_that_is_not_there_names_those_that_are(terminal: Terminal, paths: DataPaths) -> None:
    (paths.logs / "edge.log").write_text("")
    assert "there is: edge." in terminal.refusal("logs", "dance", "--data-dir", str(paths.root))


def test_followed_logs_go_on_when_a_log_is_begun_anew(
    terminal: Terminal, paths: DataPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = paths.logs / "edge.log"
    log.write_text("a long first line\n")
    turns = iter(["a long first line\nsecond\n", "anew\n"])

    def next_turn(_seconds: float) -> None:
        content = next(turns, None)
        if content is None:
            raise KeyboardInterrupt
        log.write_text(content)

    monkeypatch.setattr("time.sleep", next_turn)
    said = terminal.comptoir("logs", "edge", "--follow", "--data-dir", str(paths.root))
    assert said.out.splitlines()[:3] == ["a long first line", "second", "anew"]
