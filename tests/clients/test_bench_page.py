"""The page of a bench in Chromium, opened from its file: it asks nobody, draws, and is read by everybody."""

from typing import Any

import pytest

from services.cli.bench_page import page_of
from tests.clients.test_console import browse
from tests.services.cli.bench.results import result

pytestmark = pytest.mark.system

LOOKS = ("light", "dark", "narrow")


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """One look at a page of three levels, by a browser whose language is none that it knows."""
    page = tmp_path_factory.mktemp("bench") / "sweep.html"
    levels = [result(users, pace=pace) for users, pace in ((1, 0.02), (4, 0.05), (16, 0.2))]
    runs = tuple(run for level in levels for run in level.runs)
    page.write_text(page_of(levels[0].model_copy(update={"runs": runs})), encoding="utf-8")
    return browse("bench_page.mjs", url=page.as_uri(), language="C")


def test_it_asks_nobody_but_its_own_file(told: dict[str, Any]) -> None:
    (only,) = told["requested"]
    assert only.startswith("file:")
    assert only.endswith("/sweep.html")


def test_it_draws_under_a_locale_that_the_library_does_not_know(told: dict[str, Any]) -> None:
    assert told["complaints"] == []
    assert told["machines"] == "en-US@posix"
    assert told["language"] == "en-US"
    for look in LOOKS:
        assert set(told["drawn"][look]) >= {"sweep", "ttft", "tpot", "e2e", "course-0", "course-2"}
        assert min(told["drawn"][look].values()) > 50, look


@pytest.mark.parametrize("look", LOOKS)
def test_assistive_technology_stumbles_over_nothing(told: dict[str, Any], look: str) -> None:
    assert told["axe"][look] == []


def test_it_is_dark_for_who_prefers_that(told: dict[str, Any]) -> None:
    assert told["paper"] == "rgb(20, 23, 26)"


def test_a_phone_shows_it_and_the_last_number_of_each_table_is_reached(told: dict[str, Any]) -> None:
    assert told["width"] <= 360
    assert told["tables"]
    for table in told["tables"]:
        assert table["isFocused"]
        assert 0 <= table["left"] < table["right"] <= 360
        assert table["size"] >= 12
