"""The real spool on real small disks: full by its own events, by a foreign file, and emptied again."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from services.contract.events import Kind
from services.contract.frame import Frame
from services.emitter.adapters.spool import reserve
from services.emitter.adapters.spool.starting import SpoolUnusableError
from services.emitter.adapters.spool.writer import SqliteSpool
from services.emitter.domain.limits import SpoolFile
from services.kernel.clock import ManualClock
from services.kernel.errors import ComptoirError, Reason
from tests.contracts.spool import NumberedEvent, bodies, spool_file
from tests.system.emitter.small_disk import fill, free_bytes, remount_for_reading_only, small_disk

pytestmark = pytest.mark.system

MEBIBYTE = 1024 * 1024
SIZES = [10 * MEBIBYTE, 24 * MEBIBYTE, 64 * MEBIBYTE]
CALL_EVENTS = 100


class WideEvent(NumberedEvent):
    """As large as a real one."""

    def numbered(self, producer_id: int, sequence: int) -> bytes:
        return super().numbered(producer_id, sequence).rjust(120, b".")


def file_on(folder: Path) -> SpoolFile:
    return spool_file(
        folder / "spool",
        durability="power",
        spool_max_bytes=10**9,
        spool_max_age_seconds=10**6,
        frame_max_events=500,
    )


class Sender:
    """Numbers events, and knows which of them were acknowledged."""

    def __init__(self, spool: SqliteSpool) -> None:
        self.spool = spool
        self.acknowledged: list[int] = []
        self._next = 1

    async def send(self, calls: int) -> ComptoirError | None:
        """Sends until it is refused; returns the refusal."""
        for _ in range(calls):
            numbers = range(self._next, self._next + CALL_EVENTS)
            try:
                await self.spool.take([WideEvent(number, size_bytes=220) for number in numbers])
            except ComptoirError as refusal:
                return refusal
            self.acknowledged += numbers
            self._next += CALL_EVENTS
        return None


async def forwarded(spool: SqliteSpool) -> list[int]:
    """Everything that waits, as the forwarder takes it to a Kafka that is back."""
    numbers: list[int] = []
    while frames := await spool.frames(Kind.GENERATION, limit=32, is_draining=True):
        numbers += numbers_of(frames)
        await spool.remove(frames[-1])
    return numbers


def numbers_of(frames: Sequence[Frame]) -> list[int]:
    return [int.from_bytes(body[-16:], "big") for frame in frames for body in bodies(frame)]


@pytest.mark.parametrize("size_bytes", SIZES)
async def test_a_disk_that_events_filled_is_emptied_when_kafka_is_back(
    tmp_path: Path, size_bytes: int
) -> None:
    with small_disk(tmp_path / "disk", size_bytes) as disk:
        clock = ManualClock()
        spool = SqliteSpool(file_on(disk), clock)
        sender = Sender(spool)
        refusal = await sender.send(100_000)
        assert refusal is not None
        assert refusal.reason is Reason.SPOOL_FULL
        assert len(sender.acknowledged) > size_bytes / 2 / 1000
        assert await forwarded(spool) == sender.acknowledged
        assert spool.state.events == 0
        sender.acknowledged.clear()
        clock.advance(2)
        assert await sender.send(50) is None
        assert await forwarded(spool) == sender.acknowledged
        await spool.close()


@pytest.mark.parametrize("size_bytes", SIZES)
async def test_a_foreign_file_that_fills_the_disk_loses_nothing_and_stops_no_forwarding(
    tmp_path: Path, size_bytes: int
) -> None:
    with small_disk(tmp_path / "disk", size_bytes) as disk:
        clock = ManualClock()
        spool = SqliteSpool(file_on(disk), clock)
        sender = Sender(spool)
        assert await sender.send(20) is None
        fill(disk / "foreign")
        assert free_bytes(disk) == 0
        refusal = await sender.send(10_000)
        assert refusal is not None
        assert refusal.reason is Reason.SPOOL_FULL
        assert await forwarded(spool) == sender.acknowledged
        sender.acknowledged.clear()
        (disk / "foreign").unlink()
        clock.advance(2)
        assert await sender.send(20) is None
        assert await forwarded(spool) == sender.acknowledged
        await spool.close()


async def test_a_reserve_that_a_foreign_file_took_stops_events_until_there_is_room(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", SIZES[1]) as disk:
        clock = ManualClock()
        spool = SqliteSpool(file_on(disk), clock)
        sender = Sender(spool)
        assert await sender.send(50) is None
        spool._reserve.release()
        fill(disk / "foreign")
        clock.advance(2)
        refusal = await sender.send(1)
        assert refusal is not None
        assert refusal.reason is Reason.SPOOL_FULL
        (disk / "foreign").unlink()
        clock.advance(2)
        assert await sender.send(1) is None
        assert (disk / "spool" / reserve.FILE_NAME).stat().st_size == reserve.SIZE_BYTES
        assert await forwarded(spool) == sender.acknowledged
        await spool.close()


async def test_a_spool_on_a_full_disk_starts_and_is_emptied(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", SIZES[1]) as disk:
        clock = ManualClock()
        spool = SqliteSpool(file_on(disk), clock)
        sender = Sender(spool)
        await sender.send(100_000)
        await spool.close()
        fill(disk / "foreign")
        spool = SqliteSpool(file_on(disk), clock)
        assert await forwarded(spool) == sender.acknowledged
        await spool.close()


async def test_a_new_spool_on_a_full_disk_is_one_sentence(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", SIZES[0]) as disk:
        fill(disk / "foreign")
        with pytest.raises(SpoolUnusableError, match="disk of the spool is full; it needs 6 MiB more"):
            SqliteSpool(file_on(disk), ManualClock())


async def test_a_disk_for_reading_only_is_one_sentence(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", SIZES[0]) as disk:
        remount_for_reading_only(disk)
        with pytest.raises(SpoolUnusableError, match="is its folder writable"):
            SqliteSpool(file_on(disk), ManualClock())
