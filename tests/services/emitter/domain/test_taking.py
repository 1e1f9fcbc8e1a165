from hypothesis import given
from hypothesis import strategies as st

from services.emitter.domain.ports import Event, Taken
from services.emitter.domain.taking import sort_out
from services.kernel.errors import ComptoirError, Reason
from tests.contracts.spool import events

ROOM = 10 * 60


def refuse_if_full(incoming_bytes: int) -> None:
    if incoming_bytes > ROOM:
        raise ComptoirError(Reason.SPOOL_FULL)


def numbers(found: list[Event]) -> list[int]:
    return [int.from_bytes(event.event_id, "big") for event in found]


def test_an_event_that_comes_twice_in_one_transaction_is_taken_once() -> None:
    fresh, outcomes = sort_out([events([1, 2, 1]), events([2, 3])], (), refuse_if_full)
    assert numbers(fresh) == [1, 2, 3]
    assert outcomes == [Taken(2, 1), Taken(1, 1)]


def test_a_batch_without_room_takes_nothing_and_its_events_are_new_to_the_next() -> None:
    fresh, outcomes = sort_out([events(range(8)), events(range(8, 11)), events([8, 9])], (), refuse_if_full)
    assert numbers(fresh) == list(range(10))
    assert [isinstance(outcome, ComptoirError) for outcome in outcomes] == [False, True, False]


def test_what_was_taken_before_needs_no_room() -> None:
    known = {event.event_id for event in events(range(100))}
    assert sort_out([events(range(100))], known, refuse_if_full) == ([], [Taken(0, 100)])


@given(st.lists(st.lists(st.integers(0, 30), max_size=12), max_size=8), st.sets(st.integers(0, 30)))
def test_every_event_of_a_batch_is_taken_or_known_unless_all_of_it_is_refused(
    batches: list[list[int]], before: set[int]
) -> None:
    known = {event.event_id for event in events([*before])}
    fresh, outcomes = sort_out([events(batch) for batch in batches], known, refuse_if_full)
    there = before | set(numbers(fresh))
    assert len(fresh) == len(set(numbers(fresh))) <= 10
    assert not before & set(numbers(fresh))
    for batch, outcome in zip(batches, outcomes, strict=True):
        if not isinstance(outcome, ComptoirError):
            assert set(batch) <= there
            assert sum(outcome) == len(batch)
    accepted = sum(outcome.accepted for outcome in outcomes if isinstance(outcome, Taken))
    assert accepted == len(fresh)
