import json
import os
from pathlib import Path

import pytest

from deploy.local.kafka.data_folder import DataFolder, DataFolderError


def test_what_a_killed_process_left_is_taken_away_and_the_log_stays(tmp_path: Path) -> None:
    for name in ("log", "log.formatting", "tmp"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").touch()
    (tmp_path / "ready").write_text("{}", encoding="ascii")

    with DataFolder(tmp_path, wait_seconds=0) as folder:
        assert sorted(path.name for path in tmp_path.iterdir()) == ["lock", "log", "tmp"]
        assert list(folder.scratch_folder.iterdir()) == []
        assert (folder.log_folder / "file").exists()


def test_a_folder_has_one_holder_at_a_time(tmp_path: Path) -> None:
    with (
        DataFolder(tmp_path, wait_seconds=0),
        pytest.raises(DataFolderError, match="another broker runs"),
        DataFolder(tmp_path, wait_seconds=0.1),
    ):
        pass

    with DataFolder(tmp_path, wait_seconds=0):
        pass


def test_a_child_that_has_the_descriptor_holds_the_folder_too(tmp_path: Path) -> None:
    with DataFolder(tmp_path, wait_seconds=0) as folder:
        of_the_child = os.dup(folder.lock_descriptor)
    try:
        with (
            pytest.raises(DataFolderError, match="another broker runs"),
            DataFolder(tmp_path, wait_seconds=0),
        ):
            pass
    finally:
        os.close(of_the_child)


def test_ready_names_this_process_and_lasts_as_long_as_the_holder(tmp_path: Path) -> None:
    with DataFolder(tmp_path, wait_seconds=0) as folder:
        folder.announce("127.0.0.1:8405")

        ready = json.loads(folder.ready_file.read_text(encoding="ascii"))
        assert ready == {"pid": os.getpid(), "address": "127.0.0.1:8405"}

    assert not folder.ready_file.exists()


def test_half_a_format_does_not_count(tmp_path: Path) -> None:
    with DataFolder(tmp_path, wait_seconds=0) as folder:
        folder.formatting_folder.mkdir()
        assert not folder.is_formatted()

        folder.finish_formatting()

        assert folder.is_formatted()


def test_a_folder_that_cannot_be_made_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with (
        pytest.raises(DataFolderError, match="cannot be written"),
        DataFolder(tmp_path / "file", wait_seconds=0),
    ):
        pass
