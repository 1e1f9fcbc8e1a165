"""Latency over time has two lines per model, those with the most requests first."""

from services.console.domain.latency import Latencies, Latency


def latency(model: str, requests: int, at_seconds: int = 0) -> Latency:
    return Latency(model, requests, 100, 0.1, 0.4, 50.0, None, at_seconds)


FOUND = Latencies((latency("few", 2), latency("many", 30)), (latency("many", 30, 60),))


def test_the_busiest_model_has_the_first_row() -> None:
    assert [row.model for row in FOUND.rows] == ["many", "few"]


def test_both_quantiles_of_each_model_are_drawn() -> None:
    drawn = FOUND.ttft((0, 60))
    assert [line.label for line in drawn.lines] == ["many p50", "many p95", "few p50", "few p95"]
    assert drawn.lines[1].values == (None, 0.4)
    assert FOUND.tps((60,)).lines[0].values == (50.0,)
    assert FOUND.tps((60,)).lines[1].values == (None,)
