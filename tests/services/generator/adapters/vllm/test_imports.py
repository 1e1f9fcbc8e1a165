"""What vLLM's import is spared: done once, undone by any change, and never in the way of a start."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from services.generator.adapters.vllm.imports import default_folder, kept

TABLE = {"bert": {frozenset({"torch"}): {"modeling_bert": {"BertModel"}}, frozenset(): {"bert": {"Bert"}}}}


class Scanner:
    """A scan that counts how often it read the files."""

    def __init__(self) -> None:
        self.scans = 0

    def __call__(self, place: Any) -> dict[Any, Any]:
        self.scans += 1
        return TABLE


@pytest.fixture
def models(tmp_path: Path) -> Path:
    folder = tmp_path / "models" / "bert"
    folder.mkdir(parents=True)
    (folder / "modeling_bert.py").write_text("__all__ = ['BertModel']")
    (tmp_path / "models" / "__init__.py").touch()
    return tmp_path / "models"


def test_files_are_read_once_for_all_starts_however_they_are_named(models: Path, tmp_path: Path) -> None:
    first, second = Scanner(), Scanner()
    scan = kept(first, tmp_path / "cache")
    assert scan(models) == scan(str(models / "__init__.py")) == TABLE
    assert first.scans == 1
    assert kept(second, tmp_path / "cache")(models) == TABLE
    assert second.scans == 0


def test_a_file_that_changed_is_read_again(models: Path, tmp_path: Path) -> None:
    kept(Scanner(), tmp_path / "cache")(models)
    file = models / "bert" / "modeling_bert.py"
    os.utime(file, ns=(1, 1))
    scanner = Scanner()
    kept(scanner, tmp_path / "cache")(models)
    file.with_name("another.py").touch()
    kept(scanner, tmp_path / "cache")(models)
    assert scanner.scans == 2


def test_what_was_kept_and_is_not_whole_is_made_again(models: Path, tmp_path: Path) -> None:
    kept(Scanner(), tmp_path / "cache")(models)
    (file,) = (tmp_path / "cache").iterdir()
    content = file.read_bytes()
    for spoilt in (b"", content[:40], content[:-1], content[:40] + b"\0" + content[41:]):
        file.write_bytes(spoilt)
        scanner = Scanner()
        assert kept(scanner, tmp_path / "cache")(models) == TABLE
        assert scanner.scans == 1
        assert file.read_bytes() == content


def test_where_nothing_can_be_kept_the_start_goes_on(models: Path, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("no folder")
    scanner = Scanner()
    assert kept(scanner, tmp_path / "cache")(models) == TABLE
    assert scanner.scans == 1


def test_other_folders_are_not_kept(tmp_path: Path) -> None:
    scanner = Scanner()
    scan = kept(scanner, tmp_path / "cache")
    scan(tmp_path)
    scan(tmp_path)
    assert scanner.scans == 2


def test_the_folder_is_that_of_the_desktop_convention(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_folder() == tmp_path / "comptoir" / "generator"


@pytest.mark.vllm
def test_transformers_finds_the_same_names_as_without_and_no_compiler_is_imported(tmp_path: Path) -> None:
    ask = """
import sys
if sys.argv[1]:
    from services.generator.adapters.vllm.imports import hasten_imports
    hasten_imports()
import transformers
import transformers.models
print(hash(frozenset(dir(transformers))), len(dir(transformers.models)))
print(transformers.LlamaConfig().model_type)
print(bool(sys.modules.get("triton")) and bool(sys.argv[1]))
"""
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path), "PYTHONHASHSEED": "1"}  # noqa: TID251
    answers = [
        subprocess.run(
            [sys.executable, "-c", ask, hastened],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
            timeout=250,
        ).stdout
        for hastened in ("", "yes", "yes")
    ]
    assert len(set(answers)) == 1
    assert answers[0].endswith("False\n")
    assert len(list((tmp_path / "comptoir" / "generator").iterdir())) == 1
