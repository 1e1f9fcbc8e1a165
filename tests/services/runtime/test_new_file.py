import os
import subprocess
import sys
from pathlib import Path

import pytest

from services.runtime.new_file import new_file

# Makes each file that it is told on a line, and answers with what the file holds afterwards.
MAKER = """
import os, pathlib, sys
from services.runtime.new_file import new_file
for line in sys.stdin:
    path = pathlib.Path(line.rstrip())
    with new_file(path) as aside:
        aside.write_text(f"{os.getpid()}." * 1000)
    print(path.read_text(), flush=True)
"""


def test_a_new_file_has_its_name_once_it_is_filled_and_is_its_owners_alone(tmp_path: Path) -> None:
    path, before = tmp_path / "file", os.umask(0)
    try:
        with new_file(path) as aside:
            aside.write_text("whole")
            assert not path.exists()
    finally:
        os.umask(before)
    assert path.read_text() == "whole"
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_is_there_by_then_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with new_file(path) as aside:
        aside.write_text("second")
        path.write_text("first")
    assert path.read_text() == "first"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_could_not_be_filled_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UnicodeEncodeError), new_file(tmp_path / "file") as aside:
        aside.write_text("é", encoding="ascii")
    assert list(tmp_path.iterdir()) == []


def test_processes_that_make_one_file_at_once_all_read_the_same_whole_one(tmp_path: Path) -> None:
    command = [sys.executable, "-c", MAKER]
    makers = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(3)
    ]
    try:
        for number in range(300):
            read = read_by(makers, tmp_path / str(number))
            assert read in [[f"{maker.pid}." * 1000 + "\n"] * 3 for maker in makers]
    finally:
        for maker in makers:
            maker.kill()
            maker.communicate()


def read_by(makers: list["subprocess.Popen[str]"], path: Path) -> list[str]:
    """What each maker reads, where all have been told of the file before the first is listened to."""
    for maker in makers:
        assert maker.stdin is not None
        maker.stdin.write(f"{path}\n")
        maker.stdin.flush()
    return [maker.stdout.readline() for maker in makers if maker.stdout is not None]
