from hypothesis import given
from hypothesis import strategies as st

from tests.bench.beside.figures import quantile, ratios, spread

VALUES = st.lists(st.floats(min_value=0, max_value=1e9), min_size=1, max_size=50)


@given(VALUES)
def test_the_median_lies_between_the_least_and_the_most(values: list[float]) -> None:
    found = spread(values)
    assert found is not None
    assert found.low == min(values) <= found.median <= max(values) == found.high


@given(VALUES, st.floats(min_value=0, max_value=1))
def test_a_quantile_is_a_value_that_was_measured(values: list[float], share: float) -> None:
    assert quantile(values, share) in values


def test_the_ends_are_the_least_and_the_most_and_the_95th_of_a_hundred_is_the_95th() -> None:
    values = list(map(float, range(1, 102)))
    assert [quantile(values, share) for share in (0, 0.5, 0.95, 1)] == [1, 51, 96, 101]


def test_nothing_measured_is_no_number() -> None:
    assert spread([]) is None
    assert quantile([], 0.5) is None


def test_rounds_are_compared_with_the_same_round_only() -> None:
    ours = {1: 10.0, 2: 30.0, 3: None, 5: 4.0}
    others = {1: 20.0, 2: 10.0, 3: 1.0, 4: 1.0, 5: 0.0}
    assert ratios(ours, others) == [0.5, 3.0]


def test_a_single_round_is_shown_without_a_spread() -> None:
    assert [found.shown(1) for found in (spread([2.0]), spread([1.0, 2.0, 4.0])) if found] == [
        "2.0",
        "2.0 (1.0 to 4.0)",
    ]
