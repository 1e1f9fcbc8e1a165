"""The page's files are those of the libraries' packages, with their licences, and bring nothing else."""

import re
from pathlib import Path

import pytest

from services.console.server.pages import Pages
from services.console.settings import ConsoleSettings
from tests.services.console.conftest import SETTINGS

REPOSITORY = Path(__file__).resolve().parents[4]
STATIC = REPOSITORY / "services" / "console" / "page" / "static"
UPLOT = REPOSITORY / "node_modules" / "uplot"
OWN = sorted(path for path in STATIC.iterdir() if "uPlot" not in path.name)


def test_the_charts_library_is_the_locked_one_as_it_was_published() -> None:
    for name in ("uPlot.iife.min.js", "uPlot.min.css"):
        assert (STATIC / name).read_bytes() == (UPLOT / "dist" / name).read_bytes()
    assert (STATIC / "uPlot.LICENSE").read_bytes() == (UPLOT / "LICENSE").read_bytes()


@pytest.mark.parametrize("path", OWN, ids=lambda path: path.name)
def test_no_file_names_an_address_or_makes_code_of_text(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"https?://|//[a-z]+\.|\beval\(|new Function|document\.write|localStorage", text)


def test_only_what_the_server_wrote_becomes_markup() -> None:
    written = [(path.name, path.read_text(encoding="utf-8").count("innerHTML")) for path in OWN]
    assert [entry for entry in written if entry[1]] == [("console.js", 1)]


def test_the_page_asks_for_its_files_by_what_they_hold() -> None:
    settings = ConsoleSettings.model_validate(SETTINGS)
    pages = Pages(settings.catalog, settings.region)
    page = pages.sign_in()
    for name in ("console.css", "sign-in.js"):
        assert f"/static/{name}?{pages.files[name].digest}" in page
    assert "uPlot.LICENSE" not in pages.files
