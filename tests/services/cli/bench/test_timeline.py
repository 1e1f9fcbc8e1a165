"""The course of a run: everything is in one stretch of it."""

from hypothesis import given
from hypothesis import strategies as st

from services.cli.bench.timeline import stretch_seconds, timeline
from tests.services.cli.bench.exchanges import exchange

RUNS = st.lists(
    st.tuples(st.floats(0, 500), st.lists(st.floats(0, 5), max_size=6), st.booleans()),
    min_size=1,
    max_size=20,
)


@given(RUNS)
def test_every_begin_end_and_event_is_in_one_stretch(runs: list[tuple[float, list[float], bool]]) -> None:
    seen = []
    for start, gaps, is_good in runs:
        moments = [start + sum(gaps[: count + 1]) for count in range(len(gaps))]
        seen.append(exchange(start, moments, failure="" if is_good else "500"))
    found = timeline(seen)
    assert sum(moment.started for moment in found) == len(runs)
    assert sum(moment.succeeded for moment in found) == sum(is_good for _, _, is_good in runs)
    assert sum(moment.succeeded + moment.failed for moment in found) == len(runs)
    assert sum(moment.events for moment in found) == sum(len(gaps) for _, gaps, _ in runs)
    assert all(moment.in_flight >= 0 for moment in found)
    assert found[-1].in_flight == 0


@given(st.floats(0, 1e8))
def test_stretches_are_few(span: float) -> None:
    assert span / stretch_seconds(span) <= 120


def test_nothing_has_no_course() -> None:
    assert timeline([]) == ()
