"""Lines have a point per step, gaps where nothing happened, and a fixed order of models."""

from services.console.domain.charts import MOST_MODELS, busiest, chart
from services.console.domain.load import Load

TIMES = (0, 60, 120)


def point(at_seconds: int, model: str = "f3", running: float = 1.0) -> Load:
    return Load(model, at_seconds, running, 2, 0.5)


def test_a_step_without_a_row_is_a_gap() -> None:
    drawn = chart("s", TIMES, ["f3"], [point(60)], {"": lambda one: one.running_requests})
    assert drawn.as_json()["lines"] == [
        {"label": "f3", "model": 0, "upper": False, "values": (None, 1.0, None)}
    ]
    assert not drawn.is_empty


def test_the_second_of_two_lines_is_the_upper_one() -> None:
    picks = {"p50": lambda one: one.running_requests, "p95": lambda one: float(one.waiting_requests)}
    drawn = chart("s", TIMES, ["f3"], [point(0)], picks)
    assert [(line.label, line.is_upper) for line in drawn.lines] == [("f3 p50", False), ("f3 p95", True)]


def test_more_models_than_colours_are_not_drawn() -> None:
    names = [f"m{number}" for number in range(MOST_MODELS + 3)]
    drawn = chart("s", TIMES, names, [], {"": lambda one: one.running_requests})
    assert [line.model for line in drawn.lines] == list(range(MOST_MODELS))
    assert drawn.is_empty


def test_the_busiest_is_first_and_equals_keep_their_order() -> None:
    assert busiest({"b": 1, "a": 1, "c": 9}) == ("c", "a", "b")
