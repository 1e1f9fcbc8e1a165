"""What runs in a folder, and the lock that tells the living from the dead."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.local.stack.errors import StackError
from deploy.local.stack.paths import DataPaths
from deploy.local.stack.state import (
    ProcessState,
    StackState,
    holder_pid,
    is_running,
    missing_state,
    read_state,
    take_lock,
    write_state,
)


@pytest.fixture
def paths(tmp_path: Path) -> DataPaths:
    paths = DataPaths(tmp_path / "data")
    paths.create()
    return paths


def state() -> StackState:
    return StackState(
        supervisor_pid=7,
        phase="ready",
        base_url="http://127.0.0.1:1/v1",
        clickhouse_url="http://127.0.0.1:5",
        kafka="127.0.0.1:6",
        grpc={"router": "127.0.0.1:2"},
        model="tiny-eu",
        data_dir="/d",
        processes=[ProcessState("edge", 8, "ready", 0)],
    )


def test_a_state_is_read_as_it_was_written(paths: DataPaths) -> None:
    assert read_state(paths) is None
    write_state(paths, state())
    assert read_state(paths) == state().to_json()
    assert [path.name for path in paths.state.parent.iterdir()] == ["state.json"]


def test_a_broken_state_is_one_sentence(paths: DataPaths) -> None:
    paths.state.write_text("{")
    with pytest.raises(StackError, match="cannot be read"):
        read_state(paths)


def test_a_folder_has_one_supervisor(paths: DataPaths) -> None:
    assert not is_running(paths)
    lock = take_lock(paths)
    assert is_running(paths)
    assert holder_pid(paths) == os.getpid()
    with pytest.raises(StackError, match=r"already runs.*comptoir down"):
        take_lock(paths)
    os.close(lock)
    assert not is_running(paths)
    os.close(take_lock(paths))


def test_the_lock_ends_with_the_process_that_holds_it(paths: DataPaths) -> None:
    script = (
        "import sys; from pathlib import Path\n"
        "from deploy.local.stack.paths import DataPaths\n"
        "from deploy.local.stack.state import take_lock\n"
        "take_lock(DataPaths(Path(sys.argv[1]))); print('held', flush=True); sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(paths.root)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        assert is_running(paths)
        assert holder_pid(paths) == holder.pid
        holder.kill()
        holder.wait(10)
    assert not is_running(paths)


def test_a_missing_stack_says_how_to_start_one() -> None:
    assert "comptoir up --data-dir /d" in str(missing_state(Path("/d")))
