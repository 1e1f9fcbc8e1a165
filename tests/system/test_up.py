"""What `comptoir up` promises: a second start goes on, problems are one sentence, nothing is left behind."""

import json
import os
import signal
import socket
import subprocess
from pathlib import Path

import openai
import pytest

from deploy.local.stack.options import PORTS
from tests.ports import are_free, free_block
from tests.system.stack_process import (
    COMPTOIR,
    REPOSITORY,
    Stack,
    eventually,
    processes_of,
    run_comptoir,
    running_stack,
)

pytestmark = pytest.mark.system


def _ask(base_url: str, api_key: str, model: str) -> str:
    with openai.OpenAI(base_url=base_url, api_key=api_key) as client:
        answer = client.chat.completions.create(
            model=model, messages=[{"role": "user", "content": "Bonjour"}], max_completion_tokens=4
        )
    assert answer._request_id is not None
    return answer._request_id


def test_a_second_start_goes_on_with_the_first_ones_data_and_keys(tmp_path: Path) -> None:
    with running_stack(tmp_path, "--engine", "simulated") as first:
        request_id = _ask(first.base_url, first.api_key, first.model)
        first.row_of("generations", request_id)
    assert processes_of(tmp_path) == []
    up = run_comptoir(
        "up",
        "--detach",
        "--json",
        "--no-embeddings",
        "--engine",
        "simulated",
        "--data-dir",
        str(tmp_path),
        "--port",
        str(free_block()),
    )
    try:
        second = json.loads(up.stdout)
        assert "api_key" not in second
        again = Stack({**second, "api_key": first.api_key})
        _ask(again.base_url, first.api_key, again.model)
        again.row_of("generations", request_id)
        busy = run_comptoir("up", "--data-dir", str(tmp_path), "--port", str(free_block()), check=False)
        assert busy.returncode == 1
        assert busy.stderr.count("\n") == 1
        assert "already runs" in busy.stderr
    finally:
        run_comptoir("down", "--data-dir", str(tmp_path))
    assert processes_of(tmp_path) == []


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--model", "./no-such-model"), "There is no model"),
        (("--config", "./no-such-file.yaml"), "cannot be read"),
    ],
)
def test_a_start_that_cannot_be_is_one_sentence(
    tmp_path: Path, arguments: tuple[str, ...], says: str
) -> None:
    failed = run_comptoir(
        "up", "--data-dir", str(tmp_path), "--port", str(free_block()), *arguments, check=False
    )
    assert failed.returncode == 1
    assert says in failed.stderr
    assert failed.stderr.count("\n") == 1
    assert processes_of(tmp_path) == []


def test_settings_that_no_process_knows_stop_the_start(tmp_path: Path) -> None:
    overrides = tmp_path / "mine.yaml"
    overrides.write_text("router: {no_such_key: 1}\nusage: {retention_days: 90}\n")
    where = ("--data-dir", str(tmp_path / "data"), "--port", str(free_block()))
    failed = run_comptoir("up", *where, "--engine", "simulated", "--config", str(overrides), check=False)
    assert failed.returncode == 1
    # Each process starts to be asked: both are said at once.
    assert "no_such_key" in failed.stderr
    assert "retention" in failed.stderr
    assert processes_of(tmp_path) == []


def test_a_taken_port_stops_the_start(tmp_path: Path) -> None:
    port = free_block()
    with socket.create_server(("127.0.0.1", port + 2)):
        failed = run_comptoir("up", "--data-dir", str(tmp_path), "--port", str(port), check=False)
    assert failed.returncode == 1
    assert str(port + 2) in failed.stderr
    assert processes_of(tmp_path) == []


def test_ctrl_c_drains_and_leaves_no_process_and_no_port(tmp_path: Path) -> None:
    port = free_block()
    arguments = ["up", "--engine", "simulated", "--data-dir", str(tmp_path), "--port", str(port)]
    with subprocess.Popen([*COMPTOIR, *arguments], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as up:
        assert up.stdout is not None
        shown = ""
        while "To stop" not in shown:
            line = up.stdout.readline()
            assert line, shown
            shown += line
        assert "curl" in shown
        assert "report latency" in shown
        up.send_signal(signal.SIGINT)
        up.communicate(timeout=60)
    assert up.returncode == 0
    assert processes_of(tmp_path) == []
    assert are_free(port, PORTS)


def test_a_killed_supervisor_leaves_no_process(tmp_path: Path) -> None:
    with running_stack(tmp_path, "--engine", "simulated") as stack:
        os.kill(stack.description["supervisor_pid"], signal.SIGKILL)
        eventually(lambda: processes_of(tmp_path), lambda left: left == [], 60)


def test_help_teaches() -> None:
    shown = run_comptoir("up", "--help").stdout
    for option in (
        "--data-dir",
        "--port",
        "--model",
        "--engine",
        "--kafka",
        "--clickhouse",
        "--config",
        "--no-embeddings",
        "--detach",
    ):
        assert option in shown
