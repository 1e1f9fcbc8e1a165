"""The tables of engines: ratios of the same round, and a plan beside what was measured."""

import json
from dataclasses import asdict

from tests.bench.beside.tables import engines_section
from tests.bench.engines.figures import EngineFigures, EngineRun, Planned, cpu_rows, plan_rows, spread
from tests.bench.engines.runs import planned_seconds, read

MEASURED = (
    EngineFigures(8, "vllm", (100.0, 300.0, 90.0), (50.0, 40.0, 60.0)),
    EngineFigures(8, "bare", (50.0, 100.0, 90.0), (55.0, 45.0, 65.0)),
    EngineFigures(64, "vllm", (10.0,), (500.0,)),
)


def test_each_round_is_held_against_the_same_round_of_the_floor() -> None:
    vllm, bare, alone = cpu_rows(MEASURED, "bare")
    assert vllm == ("8", "vllm", "100 (90 to 300)", "2.00 (1.00 to 3.00)", "50 (40 to 60)")
    assert bare[3] == "1"
    assert alone[3] == "-"


def test_the_plan_says_by_how_much_it_is_off() -> None:
    rows = list(plan_rows([Planned(8, 200.0), Planned(64, 400.0), Planned(1, 10.0)], MEASURED, "vllm"))
    assert rows[0] == ("8", "200", "50 (40 to 60)", "4.0 (3.3 to 5.0)")
    assert rows[1] == ("64", "400", "500", "0.8")
    assert rows[2] == ("1", "10", "-", "-")


def test_one_value_has_no_spread() -> None:
    assert spread((2.0,), 1) == "2.0"


def test_a_run_comes_back_as_it_was_told_and_is_a_section() -> None:
    run = EngineRun(8.5e9, 0.4, MEASURED, (Planned(8, 200.0),))
    assert read(f"a library's line\n{json.dumps(asdict(run))}\n") == run
    section = engines_section(run)
    assert "8.5 GB/s; load 0.4" in section
    assert "| 8 | 200 | 50 (40 to 60) |" in section
    assert planned_seconds((1, 8), 2, 3.0) == 90 + 4 * 2 * 2 * 4
