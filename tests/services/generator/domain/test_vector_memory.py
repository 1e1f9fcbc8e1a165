"""Vectors of all requests have one budget, of which each gives back what it took."""

import asyncio
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.generator.domain.embedding import Embedded, EmbedMessage, Vectors
from services.generator.domain.generations import Generations
from services.generator.domain.prompt import TokenIds
from services.generator.domain.terminal_event import Outcome
from services.generator.domain.ticket import TicketGate
from services.generator.domain.vector_memory import VectorMemory
from services.kernel.errors import ComptoirError, Reason
from tests.contracts.engine_requests import until
from tests.services.generator.domain.test_embedding import World
from tests.services.generator.running import REPLICA

INPUTS, SIZE_BYTES = 4, 4 * 64 * 4


@given(sizes=st.lists(st.integers(0, 9)), parts=st.lists(st.integers(0, 9)))
def test_what_was_taken_is_given_back_once(sizes: list[int], parts: list[int]) -> None:
    memory = VectorMemory(20)
    for size in sizes:
        before = memory.held_bytes
        if before + size > 20:
            with pytest.raises(ComptoirError) as refusal:
                memory.take(size)
            assert refusal.value.reason is Reason.REPLICA_OVERLOADED
            assert memory.held_bytes == before
            continue
        held = memory.take(size)
        for part in parts:
            held.give(part)
        assert memory.held_bytes == before + max(0, size - sum(parts))
        held.give_all()
        held.give_all()
        assert memory.held_bytes == before


class Caller:
    """One that asks for four vectors, and takes what it is told while its gate is open."""

    def __init__(self, most_bytes: int) -> None:
        self.world = World(*(TokenIds((65,)) for _ in range(INPUTS)))
        self.memory = VectorMemory(most_bytes)
        self.world.parts = replace(self.world.parts, vector_memory=self.memory)
        gate = TicketGate(REPLICA, started_at_microseconds=0)
        self.generations = Generations(self.world.parts, gate, max_requests=9)
        self.reads = asyncio.Event()
        self.asked_to_read = asyncio.Event()
        self.read: list[EmbedMessage] = []

    async def ask(self) -> None:
        await self.generations.embed(self.world.order, self._send)

    async def _send(self, message: EmbedMessage) -> None:
        if isinstance(message, Vectors):
            self.asked_to_read.set()
            await self.reads.wait()
        self.read.append(message)


async def test_a_caller_that_does_not_read_leaves_the_next_one_to_another_replica_and_no_work() -> None:
    caller = Caller(most_bytes=2 * SIZE_BYTES - 1)
    slow = asyncio.create_task(caller.ask())
    await asyncio.wait_for(caller.asked_to_read.wait(), 5)
    assert caller.memory.held_bytes == SIZE_BYTES
    with pytest.raises(ComptoirError) as refusal:
        await asyncio.wait_for(caller.ask(), 5)
    assert refusal.value.reason is Reason.REPLICA_OVERLOADED
    assert len(caller.world.engine.asked) == INPUTS
    assert len(caller.world.link.unserved_leases) == 1
    assert [event.ending.outcome for event in caller.world.sink.events] == [Outcome.STOP, Outcome.REFUSED]
    caller.reads.set()
    await asyncio.wait_for(slow, 5)
    assert isinstance(caller.read[-1], Embedded)
    assert caller.memory.held_bytes == 0
    await asyncio.wait_for(caller.ask(), 5)


@pytest.mark.parametrize("phase", ["computed", "unread"])
async def test_a_caller_that_goes_leaves_no_vectors(phase: str) -> None:
    caller = Caller(most_bytes=SIZE_BYTES)
    if phase == "computed":
        caller.world.engine.moves.clear()
    asked = asyncio.create_task(caller.ask())
    if phase == "computed":
        await until(lambda: caller.memory.held_bytes > 0, 5)
    else:
        await asyncio.wait_for(caller.asked_to_read.wait(), 5)
    asked.cancel()
    await asyncio.wait({asked}, timeout=5)
    caller.world.engine.moves.set()
    assert caller.memory.held_bytes == 0
    assert await caller.world.recorder.settled(5.0) == 0


async def test_vectors_that_were_sent_are_held_no_longer() -> None:
    caller = Caller(most_bytes=SIZE_BYTES)
    caller.reads.set()
    held: list[int] = []

    async def send(message: EmbedMessage) -> None:
        held.append(caller.memory.held_bytes)
        caller.read.append(message)

    await asyncio.wait_for(caller.generations.embed(caller.world.order, send), 5)
    assert held == [SIZE_BYTES, SIZE_BYTES, 0]
