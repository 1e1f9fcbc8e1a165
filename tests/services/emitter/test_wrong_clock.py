"""An emitter whose clock jumps, and producers that keep what it does not take: every event counts once."""

import asyncio
import tempfile
from pathlib import Path
from typing import Any

from comptoir.emitter.v1.emitter_pb2 import RecordRequest
from comptoir.usage.v1 import usage_pb2
from hypothesis import given, settings
from hypothesis import strategies as st

from services.emitter.adapters.spool import SqliteSpool
from services.emitter.domain.demands import Demands
from services.emitter.domain.frame import Kind
from services.emitter.domain.limits import SpoolLimits
from services.emitter.domain.pseudonym import Pseudonyms
from services.emitter.server import EmitterServicer
from services.runtime.clock import ManualClock
from services.runtime.errors import ComptoirError
from services.runtime.reasons import RETRYABLE
from tests.contracts.spool import spool_file
from tests.services.emitter.requests import generation

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
            assert refusal.reason in RETRYABLE  # noqa: PT017 - a final reason would have lost it
            return False
        return True


async def count_through(steps: list[tuple[int, int]], folder: Path) -> None:
    async def on_health(_is_well: bool) -> None:
        """Looked at elsewhere."""

    clock = ManualClock()
    file = spool_file(folder)
    spool = SqliteSpool(
        type(file)(folder, False, file.seal, SpoolLimits(10**6, 86_400.0), file.remember_ids_seconds), clock
    )
    servicer = EmitterServicer(spool, Pseudonyms(bytes(32), 1), Demands(region=1), clock, on_health=on_health)
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


@settings(max_examples=25, deadline=None)
@given(STEPS)
def test_whatever_the_clock_does_every_event_is_counted_once(steps: list[tuple[int, int]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(count_through(steps, Path(folder)))
