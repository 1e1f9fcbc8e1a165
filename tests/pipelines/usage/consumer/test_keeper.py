"""What becomes of one record, and of those that the log dropped before it."""

from structlog.testing import capture_logs

from pipelines.usage.consumer.keeper import Keeper, Ports
from pipelines.usage.domain.clocks import Clocks
from pipelines.usage.domain.ports import Record
from pipelines.usage.domain.rules import Rules, StoreTerms
from services.contract.events import Kind
from tests.pipelines.usage.frames import PRODUCER, REGION, value
from tests.pipelines.usage.memory import MemoryLag, MemorySource
from tests.pipelines.usage.world import ADMISSIONS, World, torn


def keeper_of(world: World) -> Keeper:
    source = MemorySource(world.log)
    lag = MemoryLag(world.log)
    ports = Ports(source, lag, world.store, world.dead_letters, world.meter, world.clock)
    return Keeper(ports, Rules(), StoreTerms(REGION), Clocks())


async def test_records_that_the_log_dropped_unread_are_counted_and_said() -> None:
    world = World()
    record = Record(ADMISSIONS, 50, value(Kind.ADMISSION), skipped=40)
    with capture_logs() as lines:
        await keeper_of(world).keep(record)
    assert world.meter.lost_frames == 40
    (said,) = [line for line in lines if line["event"] == "frames_lost_in_the_log"]
    assert (said["count"], said["offset"], said["topic"]) == (40, 50, ADMISSIONS.topic)
    assert await world.store.rows(Kind.ADMISSION) == [(PRODUCER, n) for n in (1, 2, 3)]


async def test_a_torn_frame_is_in_the_log_of_letters_and_in_the_store() -> None:
    world = World()
    await keeper_of(world).keep(Record(ADMISSIONS, 5, torn()))
    assert await world.letters() == {(ADMISSIONS.topic, 0, 5): "checksum_wrong"}
    assert await world.store.dead() == [(1, 0, 5)]
