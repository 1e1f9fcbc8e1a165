"""A settings file gets another catalog, and keeps all else as it was, with its comments."""

import os
from pathlib import Path

import pytest
import yaml

from deploy.local.stack.errors import StackError
from services.cli.settings_file import SettingsFile
from services.kernel.catalog import Catalog, Model, Region

OTHER = Catalog(
    regions=(Region(number=2, name="eu-de"),),
    models=(Model(number=7, name="f3", context_tokens=9, max_output_tokens=3),),
)
CATALOG = """\
catalog:  # what there is
  regions:
    - {number: 1, name: eu-fr}
  models:
    # the small one
    - number: 1
      name: tiny-eu
      context_tokens: 1024
      max_output_tokens: 512  # enough
"""
MODEL = "{number: 1, name: m, context_tokens: 4, max_output_tokens: 1}"
BEFORE = "# Ours.\nregion: eu-de\n\n"
AFTER = "\n# How it answers.\nrouter:\n    listen: {address: 'unix:/a'}   # here\nedge: {}\n"


def written(tmp_path: Path, text: str) -> tuple[Path, SettingsFile]:
    file = tmp_path / "comptoir.yaml"
    file.write_text(text)
    return file, SettingsFile(file)


@pytest.mark.parametrize("catalog", [CATALOG, f"catalog: {{models: [{MODEL}]}}  # x\n"])
@pytest.mark.parametrize(("before", "after"), [(BEFORE, AFTER), ("", AFTER), (BEFORE, ""), ("---\n", AFTER)])
def test_all_but_the_catalog_stays_byte_for_byte(
    tmp_path: Path, catalog: str, before: str, after: str
) -> None:
    file, settings = written(tmp_path, before + catalog + after)
    file.chmod(0o640)
    settings.write(OTHER)
    text = file.read_text()
    assert text.startswith(before)
    assert text.endswith(after)
    assert SettingsFile(file).catalog == OTHER
    assert yaml.safe_load(text).keys() == yaml.safe_load(before + catalog + after).keys()
    assert file.stat().st_mode & 0o777 == 0o640
    assert [one.name for one in tmp_path.iterdir()] == ["comptoir.yaml"]


def test_a_file_without_a_line_s_end_is_written_too(tmp_path: Path) -> None:
    file, settings = written(tmp_path, CATALOG.rstrip("\n"))
    settings.write(OTHER)
    assert SettingsFile(file).catalog == OTHER


def test_a_link_stays_one(tmp_path: Path) -> None:
    file, _ = written(tmp_path, CATALOG)
    link = tmp_path / "link.yaml"
    link.symlink_to(file)
    SettingsFile(link).write(OTHER)
    assert link.is_symlink()
    assert SettingsFile(file).catalog == OTHER


def test_those_who_may_read_it_may_read_it_still(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    owners: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "fchown", lambda _, owner, group: owners.append((owner, group)))
    file, settings = written(tmp_path, CATALOG)
    file.chmod(0o640)
    before = os.umask(0o077)
    try:
        settings.write(OTHER)
    finally:
        os.umask(before)
    assert file.stat().st_mode & 0o777 == 0o640
    assert owners == [(file.stat().st_uid, file.stat().st_gid)]


def test_a_file_that_would_get_another_owner_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: int) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "fchown", refuse)
    file, settings = written(tmp_path, CATALOG)
    with pytest.raises(StackError, match="owner"):
        settings.write(OTHER)
    assert file.read_text() == CATALOG
    assert [one.name for one in tmp_path.iterdir()] == ["comptoir.yaml"]


def test_it_says_which_processes_read_it(tmp_path: Path) -> None:
    assert written(tmp_path, BEFORE + CATALOG + AFTER)[1].processes == ["edge", "router"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (f"catalog: &c {{models: [{MODEL}]}}\nx: *c\n", "by hand"),
        (f"{{catalog: {{models: [{MODEL}]}}}}", "in braces"),
    ],
)
def test_a_catalog_that_cannot_be_replaced_alone_is_left(tmp_path: Path, text: str, says: str) -> None:
    file, settings = written(tmp_path, text)
    with pytest.raises(StackError, match=says):
        settings.write(OTHER)
    assert file.read_text() == text


def test_a_file_that_was_changed_meanwhile_is_left(tmp_path: Path) -> None:
    file, settings = written(tmp_path, CATALOG)
    file.write_text(CATALOG + "edge: {}\n")
    with pytest.raises(StackError, match="meanwhile"):
        settings.write(OTHER)
    assert "eu-fr" in file.read_text()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("region: eu-de\n", "with a catalog"),
        ("- a\n", "with a catalog"),
        ("catalog: {models: []}\n", "catalog: models"),
        ("catalog: [\n", "not valid YAML"),
    ],
)
def test_what_is_no_settings_file_is_one_sentence(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(StackError, match=says):
        written(tmp_path, text)


@pytest.mark.parametrize(
    ("rest", "says"),
    [
        ("region: eu-fr\n", "of region eu-fr"),
        ("", "of region eu-fr"),
        ("region: eu-de\nrouter: {scaling: [{model: gone}]}\n", "the model gone"),
        ("region: eu-de\ngenerator: {model: tiny-eu}\n", "the model tiny-eu"),
    ],
)
def test_what_the_rest_of_the_file_names_must_be_declared(tmp_path: Path, rest: str, says: str) -> None:
    with pytest.raises(StackError, match=says):
        written(tmp_path, rest + CATALOG)[1].check(OTHER)
