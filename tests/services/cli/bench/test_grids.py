"""A result as tables: what stands in them, and what is said below."""

from services.cli.bench.comparison import compare
from services.cli.bench.grids import NOTHING, comparison_grid, grids_of, notes_of
from tests.services.cli.bench.results import result


def test_tables_have_a_row_for_each_level_and_latency() -> None:
    work, latency, cost = grids_of(result(1, 4))
    assert [row[0] for row in work.rows] == ["1 user", "4 users"]
    assert work.rows[0][1:3] == ("10", "1")
    assert work.rows[0][-1].endswith("(91 %)")
    assert [row[:2] for row in latency.rows[:4]] == [
        ("1 user", name) for name in ("TTFT", "TPOT", "ITL", "E2E")
    ]
    assert latency.rows[0][2:4] == ("400", "400")
    assert latency.rows[1][3] == "50.0"
    assert cost.columns == ("load", "accelerators", "per M output", "per M tokens")
    for grid in (work, latency, cost):
        assert {len(row) for row in grid.rows} == {len(grid.columns)}


def test_notes_say_who_counted_what_failed_and_that_it_was_interrupted() -> None:
    notes = list(notes_of(result(is_complete=False)))
    assert notes[0].startswith("Interrupted")
    assert "the endpoint's usage" in notes[1]
    assert notes[2] == "1 user: 1 request ended with 429 rate_limit_exceeded."


def test_a_comparison_says_which_is_better() -> None:
    (pair,) = compare(result(), result(pace=0.1, ttft=0.2))
    verdicts = {row[0]: row[-1] for row in comparison_grid(pair).rows}
    assert verdicts["TTFT p50, ms"] == "better"
    assert verdicts["TPOT p50, ms"] == "worse"
    assert verdicts["TPS per request p50"] == "worse"
    assert verdicts["failed"] == "as before"


def test_what_is_not_there_is_a_dash() -> None:
    run = result().runs[0]
    bare = result(runs=(run.model_copy(update={"goodput": None}), run))
    assert grids_of(bare)[0].rows[0][-1] == NOTHING
