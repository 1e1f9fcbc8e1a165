import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from services.contract.events import Kind
from services.emitter.adapters.spool.starting import SpoolUnusableError
from services.emitter.adapters.spool.store import FILE_NAME
from services.emitter.adapters.spool.writer import SqliteSpool
from services.emitter.domain.spacing import SPACING_SECONDS
from services.kernel.clock import ManualClock
from services.kernel.errors import ComptoirError, Reason
from tests.contracts.spool import (
    LINGER_SECONDS,
    REMEMBER_IDS_SECONDS,
    SpoolContract,
    drained,
    event_ids,
    events,
    spool_file,
)


def no_pause(_is_awaited: threading.Event, _seconds: float) -> None:
    """Spaces commits without waiting."""


@asynccontextmanager
async def opened(folder: Path, clock: ManualClock, **options: Any) -> AsyncIterator[SqliteSpool]:
    spool = SqliteSpool(spool_file(folder), clock, pause=options.pop("pause", no_pause), **options)
    try:
        yield spool
    finally:
        await spool.close()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def spool(tmp_path: Path, clock: ManualClock) -> AsyncIterator[SqliteSpool]:
    async with opened(tmp_path, clock) as spool:
        yield spool


class TestSqliteSpool(SpoolContract):
    pass


async def test_everything_is_there_after_it_was_opened_again(tmp_path: Path, clock: ManualClock) -> None:
    async with opened(tmp_path, clock) as spool:
        producer_id = spool.producer_id
        await spool.take(events(range(1, 9)))
        await spool.choose_partition(Kind.GENERATION, 2)
        sealed = await spool.frames(Kind.GENERATION, limit=10)
        state = spool.state
    async with opened(tmp_path, clock) as spool:
        assert spool.producer_id == producer_id
        assert spool.state == state
        assert await spool.partition(Kind.GENERATION) == 2
        assert (await drained(spool))[: len(sealed)] == sealed
        assert await spool.take(events([8, 9])) == (1, 1)
        assert event_ids(await drained(spool)) == list(range(1, 10))


async def test_a_second_process_cannot_open_it(
    spool: SqliteSpool, tmp_path: Path, clock: ManualClock
) -> None:
    with pytest.raises(SpoolUnusableError, match="another process"):
        SqliteSpool(spool_file(tmp_path), clock)


async def test_a_file_that_is_no_spool_is_refused_with_a_sentence(tmp_path: Path, clock: ManualClock) -> None:
    (tmp_path / FILE_NAME).write_bytes(b"something else" * 1000)
    with pytest.raises(SpoolUnusableError, match="cannot be read"):
        SqliteSpool(spool_file(tmp_path), clock)


async def test_only_its_owner_may_read_it(tmp_path: Path, clock: ManualClock) -> None:
    async with opened(tmp_path / "spool", clock):
        assert (tmp_path / "spool").stat().st_mode & 0o777 == 0o700
        assert {each.stat().st_mode & 0o777 for each in (tmp_path / "spool").iterdir()} == {0o600}


async def test_a_full_disk_refuses_and_leaves_no_gap(spool: SqliteSpool) -> None:
    connection = spool._store._connection
    await spool.take(events([1]))
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count = {pages}")

    async def take_until_refused() -> None:
        for number in range(2, 1_000):
            await spool.take(events([number]))
            taken.append(number)
            await spool.remove((await drained(spool))[-1])

    taken = [1]
    with pytest.raises(ComptoirError) as refusal:
        await take_until_refused()
    assert refusal.value.reason is Reason.SPOOL_FULL
    connection.execute("PRAGMA max_page_count = 100000")
    assert await spool.take(events(taken[-1:])) == (0, 1)
    assert await spool.take(events([5_000])) == (1, 0)
    assert (await drained(spool))[-1].last_sequence == len(taken) + 1


@pytest.mark.parametrize("failure", [sqlite3.OperationalError("disk I/O error"), ZeroDivisionError()])
async def test_a_failed_write_refuses_the_calls_of_its_transaction_and_no_more(
    spool: SqliteSpool, monkeypatch: pytest.MonkeyPatch, failure: Exception
) -> None:
    failing = events([2])[0]

    def numbered(producer_id: int, sequence: int) -> bytes:
        raise failure

    if isinstance(failure, sqlite3.OperationalError):
        failure.sqlite_errorcode = sqlite3.SQLITE_IOERR
    monkeypatch.setattr(failing, "numbered", numbered)
    await spool.take(events([1]))
    with pytest.raises(ComptoirError) as refusal:
        await spool.take([*events([3]), failing])
    assert refusal.value.reason is Reason.USAGE_NOT_RECORDED
    assert await spool.take(events([2, 3])) == (2, 0)
    assert event_ids(await drained(spool)) == [1, 2, 3]


async def test_calls_that_wait_together_share_one_transaction(
    spool: SqliteSpool, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = []
    commit = spool._commit

    def counting(calls: Any) -> None:
        sizes.append(len(calls))
        commit(calls)

    monkeypatch.setattr(spool, "_commit", counting)
    taken = await asyncio.gather(*(spool.take(events([number])) for number in range(1, 61)))
    assert {each.accepted for each in taken} == {1}
    assert sum(sizes) == 60
    assert len(sizes) < 60


async def test_where_no_frame_is_due_nothing_is_asked_of_the_disk(
    spool: SqliteSpool, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    commit = spool._commit

    def counting(calls: Any) -> None:
        asked.append(len(calls))
        commit(calls)

    await spool.take(events([1]))
    monkeypatch.setattr(spool, "_commit", counting)
    assert [
        *await spool.frames(Kind.GENERATION, limit=10),
        *await spool.frames(Kind.ADMISSION, limit=10),
    ] == []
    assert asked == []
    clock.advance(LINGER_SECONDS)
    assert event_ids(await spool.frames(Kind.GENERATION, limit=10)) == [1]
    assert event_ids(await spool.frames(Kind.GENERATION, limit=10)) == [1]


async def test_commits_that_follow_each_other_closely_are_spaced_and_no_call_is_lost(
    tmp_path: Path, clock: ManualClock
) -> None:
    pauses = list[float]()
    async with opened(tmp_path, clock, pause=lambda _, seconds: pauses.append(seconds)) as spool:
        limits = spool_file(tmp_path, spool_max_bytes=10**6)
        spool._store._spool = limits
        for first in range(0, 200, 4):
            taken = await asyncio.gather(*(spool.take(events([first + more])) for more in range(4)))
            assert {each.accepted for each in taken} == {1}
            clock.advance(0.02)
        assert set(pauses) == {SPACING_SECONDS}
        assert spool.state.events == 200


async def test_what_a_first_text_waits_for_is_written_while_commits_are_spaced(
    tmp_path: Path, clock: ManualClock
) -> None:
    were_ended = list[bool]()

    def until_somebody_waits(is_awaited: threading.Event, _seconds: float) -> None:
        were_ended.append(is_awaited.wait(5))

    async with opened(tmp_path, clock, pause=until_somebody_waits) as spool:
        for number in range(1, 100):
            assert await spool.take(events([number], Kind.ADMISSION)) == (1, 0)
    assert set(were_ended) == {True}


async def test_work_that_takes_nothing_is_never_followed_by_a_pause(
    tmp_path: Path, clock: ManualClock
) -> None:
    pauses = list[float]()
    async with opened(tmp_path, clock, pause=lambda _, seconds: pauses.append(seconds)) as spool:
        for _ in range(100):
            await spool.frames(Kind.GENERATION, limit=10, is_draining=True)
    assert pauses == []


async def test_a_refused_call_does_not_refuse_the_others_of_its_transaction(spool: SqliteSpool) -> None:
    too_large = events([1])
    too_large[0].size_bytes = 10**9
    outcomes = await asyncio.gather(
        spool.take(too_large), *(spool.take(events([n])) for n in range(2, 20)), return_exceptions=True
    )
    assert isinstance(outcomes[0], ComptoirError)
    assert all(outcome == (1, 0) for outcome in outcomes[1:])
    assert sorted(event_ids(await drained(spool))) == list(range(2, 20))


async def test_a_caller_that_goes_away_does_not_undo_its_call(spool: SqliteSpool) -> None:
    call = spool.take(events([1]))
    await asyncio.sleep(0)
    call.cancel()
    await asyncio.wait({call})
    assert await spool.take(events([1])) == (0, 1)


async def test_calls_beyond_the_queue_are_refused(tmp_path: Path, clock: ManualClock) -> None:
    async with opened(tmp_path, clock, max_waiting_calls=0) as spool:
        with pytest.raises(ComptoirError) as refusal:
            await spool.take(events([1]))
        assert refusal.value.reason is Reason.SPOOL_FULL


async def test_after_a_long_outage_a_repeated_call_still_counts_once(
    tmp_path: Path, clock: ManualClock
) -> None:
    async with opened(tmp_path, clock) as spool:
        await spool.take(events([1]))
        await spool.remove((await drained(spool))[-1])
    clock.advance(100 * REMEMBER_IDS_SECONDS)
    async with opened(tmp_path, clock) as spool:
        assert await spool.take(events([2])) == (1, 0)
        assert await spool.take(events([1])) == (0, 1)


async def test_ids_of_a_spool_from_before_epochs_were_counted_are_still_known(
    tmp_path: Path, clock: ManualClock
) -> None:
    async with opened(tmp_path, clock) as spool:
        connection = spool._store._connection
        connection.execute("DELETE FROM ids_epoch")
        old = [(497_000, events([1])[0].event_id)]
        connection.executemany("INSERT INTO recent_ids (epoch, event_id) VALUES (?, ?)", old)
    async with opened(tmp_path, clock) as spool:
        assert await spool.take(events([1, 2])) == (1, 1)


async def test_forgotten_ids_leave_the_file_a_bounded_number_at_a_time(
    spool: SqliteSpool, clock: ManualClock
) -> None:
    connection = spool._store._connection
    old = [(-5, number.to_bytes(16, "big")) for number in range(2_500)]
    connection.executemany("INSERT INTO recent_ids (epoch, event_id) VALUES (?, ?)", old)
    left = []
    for number in range(4):
        clock.advance(REMEMBER_IDS_SECONDS if number == 0 else 0)
        await spool.take(events([10_000 + number]))
        left.append(connection.execute("SELECT count(*) FROM recent_ids WHERE epoch < 0").fetchone()[0])
    assert left == [1_500, 500, 0, 0]


@pytest.mark.parametrize(("is_flushed", "synchronous"), [(True, 2), (False, 1)])
async def test_a_spool_that_survives_a_power_cut_flushes_every_commit(
    tmp_path: Path, clock: ManualClock, is_flushed: bool, synchronous: int
) -> None:
    spool = SqliteSpool(spool_file(tmp_path, durability="power" if is_flushed else "process"), clock)
    connection = spool._store._connection
    assert connection.execute("PRAGMA synchronous").fetchone() == (synchronous,)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    await spool.close()
