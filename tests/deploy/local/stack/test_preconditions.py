"""What cannot work is said before anything starts."""

import errno
import shutil
import socket
from pathlib import Path
from typing import NamedTuple

import pytest

from deploy.local.stack.errors import StackError
from deploy.local.stack.options import PORTS, StackOptions
from deploy.local.stack.paths import DataPaths
from deploy.local.stack.preconditions import check_ports, prepare_folder


class Usage(NamedTuple):
    total: int
    used: int
    free: int


@pytest.mark.parametrize("offset", [0, PORTS - 1])
def test_a_taken_port_is_named(tmp_path: Path, offset: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(StackError, match=r"Port \d+ of 127\.0\.0\.1 is taken.*--port"):
            check_ports(StackOptions(data_dir=tmp_path, port=port - offset))


@pytest.mark.parametrize("port", [0, -1, 65535, 65536 - PORTS, 100_000])
def test_a_port_without_room_is_refused(tmp_path: Path, port: int) -> None:
    with pytest.raises(StackError, match="must leave room"):
        check_ports(StackOptions(data_dir=tmp_path, port=port))


def test_a_folder_is_made_with_all_its_parents(tmp_path: Path) -> None:
    paths = DataPaths(tmp_path / "a" / "b")
    prepare_folder(paths)
    prepare_folder(paths)
    assert paths.logs.is_dir()


def test_a_file_in_the_folders_place_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for root in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(StackError, match="cannot be written"):
            prepare_folder(DataPaths(root))


def test_a_nearly_full_disk_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: Usage(2**40, 2**40, 3 * 2**20))
    with pytest.raises(StackError, match="3 MiB left; free at least 512 MiB"):
        prepare_folder(DataPaths(tmp_path / "data"))


@pytest.mark.parametrize(
    ("number", "says"),
    [(errno.ENOSPC, "is full"), (errno.EACCES, "cannot be written"), (errno.EROFS, "written")],
)
def test_a_disk_that_does_not_write_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, says: str
) -> None:
    def refuse(_count: int) -> bytes:
        raise OSError(number, "no")

    monkeypatch.setattr("os.urandom", refuse)
    with pytest.raises(StackError, match=says):
        prepare_folder(DataPaths(tmp_path / "data"))
