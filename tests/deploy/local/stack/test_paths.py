"""The data folder: secrets and sockets for their owner only, and a socket path that the kernel takes."""

import os
from pathlib import Path

import pytest

from deploy.local.stack.errors import StackError
from deploy.local.stack.paths import DataPaths


def test_folders_are_their_owners_only_also_those_that_an_earlier_version_left_open(tmp_path: Path) -> None:
    paths = DataPaths(tmp_path / "data")
    paths.logs.mkdir(parents=True, mode=0o755)
    paths.create()
    paths.create()
    for folder in (
        paths.logs,
        paths.spool,
        paths.kafka,
        paths.clickhouse,
        paths.router_database.parent,
        paths.secrets,
        paths.state.parent,
        paths.admin_socket.parent,
    ):
        assert folder.stat().st_mode & 0o777 == 0o700


def test_a_data_folder_that_others_use_too_keeps_its_mode(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    DataPaths(shared).create()
    assert shared.stat().st_mode & 0o7777 == 0o1777
    DataPaths(tmp_path / "own").create()
    assert (tmp_path / "own").stat().st_mode & 0o777 == 0o700


def test_a_long_path_has_its_socket_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    long = DataPaths(tmp_path / ("x" * 110))
    long.create()
    for path in (long.admin_socket, long.replica_socket, long.emitter_socket):
        # The kernel takes 108 bytes, and the folder for temporary files has a short name outside tests.
        assert len(str(path.relative_to(tmp_path))) <= 80
        assert path.parent == long.sockets
    assert long.root not in long.sockets.parents
    assert long.sockets.stat().st_mode & 0o777 == 0o700
    assert long.sockets != DataPaths(tmp_path / ("y" * 110)).sockets
    assert DataPaths(Path("/d")).admin_socket == Path("/d/run/admin.sock")


def test_a_socket_folder_of_somebody_else_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = DataPaths(tmp_path / "data")
    monkeypatch.setattr("os.getuid", lambda: os.geteuid() + 1)
    with pytest.raises(StackError, match="another user"):
        paths.create()
