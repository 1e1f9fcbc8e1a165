"""The dashboards that are committed are those of the code, and ask for nothing that does not exist."""

import json
from typing import Any

import pytest

from deploy.dashboards import generate
from tests.deploy.dashboards.documents import PANELS, VARIABLES, queries_of
from tests.deploy.queries import faults, known_series

DOCUMENTS = {path.stem: json.loads(text) for path, text in generate.documents().items()}


def test_the_committed_files_are_what_the_code_says() -> None:
    assert generate.stale() == []
    assert generate.main(["--check"]) == 0


def test_a_file_that_was_changed_by_hand_is_told_and_written_anew(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(generate, "FOLDER", tmp_path)
    assert generate.main([]) == 0
    (tmp_path / "comptoir-slo.json").write_text("{}\n")
    (tmp_path / "comptoir-gone.json").write_text("{}\n")
    assert generate.main(["--check"]) == 1
    said = capsys.readouterr().err.splitlines()
    assert [line.split()[0] for line in said] == ["comptoir-gone.json", "comptoir-slo.json"]
    assert generate.main([]) == 0
    assert generate.stale() == []
    assert not (tmp_path / "comptoir-gone.json").exists()


def test_there_is_a_dashboard_of_each_of_the_four_questions() -> None:
    assert sorted(DOCUMENTS) == ["comptoir-capacity", "comptoir-pipeline", "comptoir-slo", "comptoir-usage"]
    assert {name: document["uid"] for name, document in DOCUMENTS.items()} == {
        name: name for name in DOCUMENTS
    }


@pytest.mark.parametrize("panel", PANELS)
def test_a_panel_asks_for_nothing_that_does_not_exist(panel: dict[str, Any]) -> None:
    known = known_series()
    for query in queries_of(panel):
        assert not faults(query.replace("$__rate_interval", "1m"), known)


@pytest.mark.parametrize("panel", PANELS)
def test_a_panel_says_what_it_shows_and_takes_a_data_source_that_its_reader_chose(
    panel: dict[str, Any],
) -> None:
    assert panel["title"]
    assert panel["description"].endswith(".")
    assert panel["datasource"]["uid"] in {"${prometheus}", "${clickhouse}"}
    assert panel["targets"]


def test_panels_of_a_dashboard_do_not_lie_on_one_another() -> None:
    for document in DOCUMENTS.values():
        cells: set[tuple[int, int]] = set()
        for panel in document["panels"]:
            place = panel["gridPos"]
            own = {
                (place["x"] + column, place["y"] + line)
                for column in range(place["w"])
                for line in range(place["h"])
            }
            assert not own & cells, panel["title"]
            assert place["x"] + place["w"] <= 24
            cells |= own


def test_what_panels_ask_with_is_what_readers_can_choose() -> None:
    for document in DOCUMENTS.values():
        assert [variable["name"] for variable in document["templating"]["list"]] == VARIABLES
