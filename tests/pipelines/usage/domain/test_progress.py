from pipelines.usage.domain.errors import Fault
from pipelines.usage.domain.ports import Partition
from pipelines.usage.domain.progress import Breaker, Progress
from pipelines.usage.domain.rules import Rules, StoreTerms

ONE, TWO = Partition("topic", 1), Partition("topic", 2)
TERMS = StoreTerms(1)


def test_a_commit_is_due_after_so_many_frames_or_seconds() -> None:
    progress = Progress(Rules(commit_every_frames=3, commit_every_seconds=5.0), TERMS)
    assert not progress.is_due(1000.0)
    progress.note(ONE, 7, now_seconds=100.0)
    assert not progress.is_due(104.9)
    assert progress.is_due(105.0)
    progress.note(ONE, 8, now_seconds=101.0)
    progress.note(TWO, 0, now_seconds=101.0)
    assert progress.is_due(101.0)
    assert progress.staged() == {ONE: 9, TWO: 1}


def test_what_is_noted_during_a_commit_stays_staged() -> None:
    progress = Progress(Rules(), TERMS)
    progress.note(ONE, 1, now_seconds=0.0)
    progress.note(TWO, 1, now_seconds=0.0)
    staged = progress.staged()
    progress.note(ONE, 2, now_seconds=0.0)
    progress.committed(staged)
    assert progress.staged() == {ONE: 3}


def test_it_is_full_until_a_commit_covers_enough_of_what_was_noted() -> None:
    progress = Progress(Rules(), StoreTerms(1, most_uncommitted_frames=4))
    for offset in range(3):
        progress.note(ONE, offset, now_seconds=0.0)
    assert not progress.is_full
    staged = progress.staged()
    progress.note(TWO, 0, now_seconds=0.0)
    assert progress.is_full
    for offset in range(3, 6):
        progress.note(ONE, offset, now_seconds=0.0)
    progress.committed(staged)
    assert progress.is_full
    progress.committed(progress.staged())
    assert not progress.is_full
    assert progress.staged() == {}


def test_after_a_rebalance_nothing_is_staged() -> None:
    progress = Progress(Rules(commit_every_frames=1), TERMS)
    progress.note(ONE, 1, now_seconds=0.0)
    progress.forget()
    assert progress.staged() == {}
    assert not progress.is_due(1000.0)


def test_the_breaker_trips_after_too_many_bad_frames_in_a_row() -> None:
    breaker = Breaker(limit=2)
    for _ in range(2):
        breaker.bad(Fault.CHECKSUM_WRONG)
    breaker.good()
    for _ in range(2):
        breaker.bad(Fault.CHECKSUM_WRONG)
        breaker.bad(Fault.EXPIRED)
    assert not breaker.is_tripped
    breaker.bad(Fault.CHECKSUM_WRONG)
    assert breaker.is_tripped
