"""The data folder: secrets and sockets for their owner only, and a socket path that the kernel takes."""

import os
from pathlib import Path

import pytest

from services.cli.stack.errors import StackError
from services.cli.stack.paths import DataPaths


def test_folders_are_made_and_private_ones_are_private(tmp_path: Path) -> None:
    paths = DataPaths(tmp_path / "data")
    paths.create()
    paths.create()
    for private in (paths.secrets, paths.state.parent, paths.admin_socket.parent):
        assert private.stat().st_mode & 0o777 == 0o700
    for folder in (paths.logs, paths.spool, paths.kafka, paths.clickhouse, paths.router_database.parent):
        assert folder.is_dir()


def test_a_long_path_has_its_socket_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    long = DataPaths(tmp_path / ("x" * 110))
    long.create()
    assert len(str(long.admin_socket)) <= 108
    assert long.root not in long.admin_socket.parents
    assert long.admin_socket.parent.stat().st_mode & 0o777 == 0o700
    assert long.admin_socket != DataPaths(tmp_path / ("y" * 110)).admin_socket
    assert DataPaths(Path("/d")).admin_socket == Path("/d/run/admin.sock")


def test_a_socket_folder_of_somebody_else_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = DataPaths(tmp_path / "data")
    monkeypatch.setattr("os.getuid", lambda: os.geteuid() + 1)
    with pytest.raises(StackError, match="somebody else"):
        paths.create()
