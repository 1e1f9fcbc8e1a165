"""An emitter whose clock jumps, and producers that keep what it does not take: every event counts once."""

import asyncio
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from comptoir.emitter.v1.emitter_pb2 import RecordRequest
from comptoir.emitter.v1.emitter_pb2_grpc import add_EmitterServiceServicer_to_server
from comptoir.usage.v1 import usage_pb2
from hypothesis import given, settings
from hypothesis import strategies as st

from services.contract.events import Kind
from services.contract.pseudonym import Pseudonyms
from services.emitter.adapters.spool.writer import SqliteSpool
from services.emitter.domain.event_rules import EventRules
from services.emitter.server.recording import EmitterServicer
from services.generator.adapters.usage_emitter import UsageEmitter
from services.generator.domain.recording import UsageRecorder
from services.generator.domain.ticket import Replica
from services.kernel.clock import ManualClock, SystemClock
from services.kernel.errors import ComptoirError
from services.kernel.identity import Identity
from services.runtime.addresses import GrpcListen, GrpcTarget
from services.runtime.grpc.server import build_server
from tests.contracts.spool import spool_file
from tests.fakes.emitter_ports import MemorySpool
from tests.fakes.joined import joined_streams
from tests.services.emitter.requests import generation
from tests.services.generator.domain.test_recording import EVENT, Pauses
from tests.services.generator.domain.test_ticket import CLAIMS

TRUE_START = ManualClock().wall_microseconds()

# How far off the emitter's clock is from now on, in seconds; then how many events begin.
STEPS = st.lists(
    st.tuples(
        st.sampled_from([0, 0, -7_200, 7_200, 40 * 86_400, -40 * 86_400, 3_000, -3_000]), st.integers(0, 4)
    ),
    max_size=12,
)


class Producer:
    """Keeps each event until it is acknowledged, and repeats some that were."""

    def __init__(self, servicer: EmitterServicer) -> None:
        self._servicer = servicer
        self.kept: list[usage_pb2.Generation] = []
        self.made: list[int] = []
        self._acknowledged: list[usage_pb2.Generation] = []

    def make(self, now_microseconds: int) -> None:
        number = len(self.made) + 1
        self.made.append(number)
        self.kept.append(
            generation(event_id_high=1, event_id_low=number, started_at_microseconds=now_microseconds)
        )

    async def send(self) -> None:
        """Everything kept, one by one, and what was acknowledged last once more."""
        repeated = self._acknowledged[-2:]
        self._acknowledged += [event for event in self.kept if await self._was_taken(event)]
        self.kept = [event for event in self.kept if event not in self._acknowledged]
        for event in repeated:
            await self._was_taken(event)

    async def _was_taken(self, event: usage_pb2.Generation) -> bool:
        context: Any = None
        request = RecordRequest()
        request.generations.add().CopyFrom(event)
        try:
            await self._servicer.Record(request, context)
        except ComptoirError as refusal:
            assert refusal.reason.row.is_retryable  # noqa: PT017 - a final reason would have lost it
            return False
        return True


async def count_through(steps: list[tuple[int, int]], folder: Path) -> None:
    def on_health(_is_well: bool) -> None:
        """Looked at elsewhere."""

    clock = ManualClock()
    spool = SqliteSpool(spool_file(folder, spool_max_bytes=10**6, spool_max_age_seconds=86_400.0), clock)
    servicer = EmitterServicer(
        spool,
        Pseudonyms(bytes(32), 1),
        EventRules(region=1),
        clock,
        streams=joined_streams(),
        on_health=on_health,
    )
    producer, now, stored = Producer(servicer), TRUE_START, list[int]()
    for off_seconds, begun in [*steps, (0, 0), (0, 0)]:
        now += 1_000_000
        clock.advance(1)
        clock.set_wall(now + off_seconds * 1_000_000)
        for _ in range(begun):
            producer.make(now)
        await producer.send()
        for frame in frames if (frames := await spool.frames(Kind.GENERATION, limit=100)) else ():
            events = usage_pb2.GenerationFrame.FromString(frame.body).events
            stored += [event.event_id_low for event in events]
        if frames:
            await spool.remove(frames[-1])
    last = await spool.frames(Kind.GENERATION, limit=100, is_draining=True)
    for frame in last:
        stored += [e.event_id_low for e in usage_pb2.GenerationFrame.FromString(frame.body).events]
    await spool.close()
    assert producer.kept == []
    assert sorted(stored) == producer.made


@settings(max_examples=25)
@given(STEPS)
def test_whatever_the_clock_does_every_event_is_counted_once(steps: list[tuple[int, int]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(count_through(steps, Path(folder)))


async def test_generations_that_ended_while_the_clock_was_two_hours_slow_are_billed_once_it_is_right(
    tmp_path: Path,
) -> None:
    """The real chain: recorder, client, gRPC, emitter, spool."""
    healths: list[bool] = []

    def on_health(is_well: bool) -> None:
        healths.append(is_well)

    clock, started = ManualClock(), TRUE_START
    clock.set_wall(started - 7_200_000_000)
    spool = MemorySpool(spool_file(tmp_path, spool_max_bytes=10**6, spool_max_age_seconds=86_400.0), clock)
    address = f"unix:{tmp_path}/e.sock"
    server = build_server(GrpcListen(address=address), clock=clock)
    servicer = EmitterServicer(
        spool,
        Pseudonyms(bytes(32), 1),
        EventRules(region=CLAIMS.region),
        clock,
        streams=joined_streams(),
        on_health=on_health,
    )
    add_EmitterServiceServicer_to_server(servicer, server.server)
    await server.start()
    replica = Replica(number=CLAIMS.replica, region=CLAIMS.region, model=CLAIMS.model)
    sink = UsageEmitter(
        GrpcTarget(address=address), replica, SystemClock(), wait_seconds=0.2, config_digest=1
    )
    pauses = Pauses()
    recorder = UsageRecorder(sink, max_unrecorded=20, sleep=pauses)
    ended = [
        replace(EVENT, event_id=Identity(1, number), started_at_microseconds=started)
        for number in range(1, 9)
    ]
    firsts = [recorder.record(event) for event in ended]
    ends = await asyncio.wait_for(asyncio.gather(*firsts, return_exceptions=True), 10)
    assert {str(end) for end in ends} == {"USAGE_NOT_RECORDED"}
    assert (recorder.unrecorded, recorder.refused_events, healths) == (8, 0, [False])
    clock.set_wall(started + 5_000_000)
    assert await recorder.settled(10.0) == 0
    assert recorder.refused_events == 0
    assert healths == [False, True]
    frames = await spool.frames(Kind.GENERATION, limit=100, is_draining=True)
    stored = [e for frame in frames for e in usage_pb2.GenerationFrame.FromString(frame.body).events]
    assert sorted(event.event_id_low for event in stored) == list(range(1, 9))
    await sink.close()
    await server.drain(0)
