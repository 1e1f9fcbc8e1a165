"""A terminal, and a data folder as a stack leaves it."""

from pathlib import Path

import pytest

from deploy.local.stack.paths import DataPaths
from deploy.local.stack.state import ProcessState, StackState, write_state
from tests.services.cli.running import Terminal


@pytest.fixture(autouse=True)
def _keep_the_test_runner_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.cli.commands.up.keep_private", lambda: None)


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Terminal:
    monkeypatch.delenv("COMPTOIR_API_KEY", raising=False)
    return Terminal(monkeypatch, capsys)


@pytest.fixture
def state(tmp_path: Path) -> StackState:
    return StackState(
        supervisor_pid=2**22 + 1,
        phase="ready",
        base_url="http://127.0.0.1:1/v1",
        clickhouse_url="http://127.0.0.1:1",
        kafka="127.0.0.1:6",
        grpc={"router": "127.0.0.1:2", "generator": "127.0.0.1:3", "emitter": "127.0.0.1:4"},
        model="tiny-eu",
        data_dir=str(tmp_path),
        processes=[ProcessState("edge", 8, "ready", 2)],
    )


@pytest.fixture
def paths(tmp_path: Path, state: StackState) -> DataPaths:
    paths = DataPaths(tmp_path)
    paths.create()
    write_state(paths, state)
    paths.api_key.write_text("cptr_kept\n")
    return paths
