from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from deploy.local.clickhouse.adapters.engine_folder import EngineFolder, FolderUnusableError


def _prepare(folder: EngineFolder) -> str:
    return folder.prepare(max_execution_seconds=60, max_memory_bytes=1000, max_result_bytes=500)


def test_a_folder_has_one_owner_at_a_time(tmp_path: Path) -> None:
    first = EngineFolder(tmp_path / "a & b")
    with pytest.raises(FolderUnusableError):
        EngineFolder(tmp_path / "a & b")
    first.release()
    EngineFolder(tmp_path / "a & b").release()


def test_the_engine_is_told_bounds_and_constants(tmp_path: Path) -> None:
    folder = EngineFolder(tmp_path / "<folder>")
    assert _prepare(folder) == f"{folder.store}?config-file={folder.path / 'engine.xml'}"
    users = ET.parse(folder.path / "users.xml").getroot()  # noqa: S314 - written by this test's subject
    constraints = users.find("profiles/default/constraints")
    assert constraints is not None
    assert constraints.find("dialect/const") is not None
    assert constraints.findtext("max_execution_time/max") == "60"
    assert constraints.findtext("max_execution_time/min") == "1"
    grants = " ".join(found.text or "" for found in users.iter("query"))
    assert "SOURCES" not in grants
    assert "CREATE USER" not in grants
    engine = ET.parse(folder.path / "engine.xml").getroot()  # noqa: S314 - the same
    assert engine.findtext("users_config") == str(folder.path / "users.xml")
    folder.release()


def test_scratch_of_an_earlier_process_is_removed(tmp_path: Path) -> None:
    folder = EngineFolder(tmp_path)
    _prepare(folder)
    (folder.scratch / "left").write_text("x", encoding="utf-8")
    (folder.store / "kept").write_text("x", encoding="utf-8")
    _prepare(folder)
    assert not (folder.scratch / "left").exists()
    assert (folder.store / "kept").exists()
    folder.release()
