"""Last uses wait by the hour, each once, until they are written."""

from hypothesis import given
from hypothesis import strategies as st

from services.router.domain import uses as module
from services.router.domain.uses import Uses


def test_of_each_key_and_hour_one_use_waits() -> None:
    uses = Uses()
    for now_seconds in (7200, 7201.5, 10_799.9):
        uses.note(1, now_seconds)
    uses.note(2, 7300)
    assert uses.take() == {1: 7200, 2: 7200}
    uses.note(1, 10_799.9)
    assert uses.take() == {}
    uses.note(1, 10_800)
    assert uses.take() == {1: 10_800}


def test_what_could_not_be_written_waits_on_and_gives_way_to_what_is_newer() -> None:
    uses = Uses()
    uses.note(1, 3600)
    uses.note(2, 3600)
    taken = uses.take()
    uses.note(1, 7200)
    uses.give_back(taken)
    assert uses.take() == {1: 7200, 2: 3600}


def test_what_waits_and_what_is_remembered_have_an_end() -> None:
    uses = Uses()
    for key in range(module.MAX_WAITING + 10):
        uses.note(key, 3600)
    assert len(uses.take()) == module.MAX_WAITING
    uses.note(module.MAX_WAITING + 5, 3600)
    uses.take()
    assert len(uses._noted) == 1


@given(st.lists(st.tuples(st.integers(1, 3), st.floats(0, 50_000)), max_size=30))
def test_the_latest_use_of_clocks_that_go_on_is_what_is_written_last(
    noted: list[tuple[int, float]],
) -> None:
    uses, written = Uses(), dict[int, int]()
    noted = sorted(noted, key=lambda each: each[1])
    for key, now_seconds in noted:
        uses.note(key, now_seconds)
        written |= uses.take()
    assert written == {key: int(now_seconds) // 3600 * 3600 for key, now_seconds in noted}
