from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from services.contract.events import Kind
from services.emitter.domain.batching import Unsealed, events_to_seal
from services.emitter.domain.limits import SpoolFile

LIMITS = SpoolFile(
    spool_folder=Path(), frame_max_events=10, frame_linger_seconds=0.2, uncounted_frame_linger_seconds=2
)
NOW = 1_790_000_000_000_000


def due(
    count: int,
    age_seconds: float,
    *,
    kind: Kind = Kind.GENERATION,
    waiting: bool = False,
    draining: bool = False,
) -> int:
    oldest_at = NOW - round(age_seconds * 1_000_000)
    return events_to_seal(
        Unsealed(kind, count, oldest_at),
        LIMITS,
        now_microseconds=NOW,
        is_frame_waiting=waiting,
        is_draining=draining,
    )


def test_nothing_makes_no_frame() -> None:
    assert due(0, 100) == due(0, 100, draining=True) == 0


def test_young_events_wait_for_more() -> None:
    assert due(9, 0.199) == 0


def test_old_events_leave_in_a_small_frame() -> None:
    assert due(1, 0.2) == 1


def test_what_requests_are_counted_by_leaves_sooner_than_what_explains_them() -> None:
    assert {kind for kind in Kind if due(1, 0.2, kind=kind)} == {Kind.ADMISSION, Kind.GENERATION}
    assert {kind for kind in Kind if due(1, 1.9, kind=kind)} == {Kind.ADMISSION, Kind.GENERATION}
    assert {kind for kind in Kind if due(1, 2.0, kind=kind)} == set(Kind)


def test_enough_events_leave_at_once() -> None:
    assert due(10, 0) == 10


def test_a_frame_takes_no_more_than_its_limit() -> None:
    assert due(25, 5) == due(25, 5, draining=True) == 10


def test_behind_a_waiting_frame_only_full_frames_are_sealed() -> None:
    assert due(9, 100, waiting=True) == 0
    assert due(10, 0, waiting=True) == 10


def test_draining_makes_everything_due() -> None:
    assert due(3, 0, draining=True, waiting=True) == 3


def test_a_clock_that_was_set_back_delays_nothing() -> None:
    assert due(2, -3600) == 2


@given(st.integers(0, 100), st.floats(-100, 100), st.booleans(), st.booleans())
def test_a_frame_never_takes_more_than_there_is_or_fits(
    count: int, age_seconds: float, waiting: bool, draining: bool
) -> None:
    assert (
        0
        <= due(count, age_seconds, waiting=waiting, draining=draining)
        <= min(count, LIMITS.frame_max_events)
    )
