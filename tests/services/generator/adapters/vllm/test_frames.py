"""What the engine's process sends is read by one task, whole and in order, until the socket is closed."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import zmq
import zmq.asyncio

from services.generator.adapters.vllm.frames import Frames


class Ends:
    """A socket as vLLM's client has it, and the engine's end."""

    def __init__(self) -> None:
        self._context = zmq.asyncio.Context()
        self.ours = self._context.socket(zmq.PULL)
        port = self.ours.bind_to_random_port("tcp://127.0.0.1")
        # Frees the engine's end from the loop: it is another process's.
        self._plain: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self.engines = self._plain.socket(zmq.PUSH)
        self.engines.connect(f"tcp://127.0.0.1:{port}")
        self.frames = Frames(self.ours)

    async def read(self) -> list[bytes]:
        async with asyncio.timeout(10):
            return [frame.bytes for frame in await self.frames.recv_multipart(copy=False)]

    def close(self) -> None:
        self.ours.close(linger=0)
        self.engines.close(linger=0)
        self._plain.term()
        self._context.term()


@pytest.fixture
async def ends() -> AsyncIterator[Ends]:
    ends = Ends()
    yield ends
    ends.close()


async def test_every_message_is_read_in_its_order(ends: Ends) -> None:
    for number in range(200):
        ends.engines.send_multipart([b"%d" % number, b"more"])
    assert [await ends.read() for _ in range(200)] == [[b"%d" % number, b"more"] for number in range(200)]


async def test_a_message_is_read_that_comes_while_one_waits(ends: Ends) -> None:
    for content in (b"first", b"second", b"third"):
        reading = asyncio.create_task(ends.read())
        await asyncio.sleep(0)
        ends.engines.send(content)
        assert await reading == [content]


async def test_a_message_that_comes_while_nobody_reads_is_there_for_the_next(ends: Ends) -> None:
    ends.engines.send(b"first")
    assert await ends.read() == [b"first"]
    ends.engines.send(b"second")
    for _ in range(200):
        await asyncio.sleep(0)
    assert await ends.read() == [b"second"]


async def test_a_reading_ends_when_it_is_cancelled_and_its_socket_closed(ends: Ends) -> None:
    reading = asyncio.create_task(ends.read())
    await asyncio.sleep(0)
    ends.engines.send(b"too late")
    ends.ours.close(linger=0)
    reading.cancel()
    await asyncio.wait([reading], timeout=10)
    assert reading.cancelled()
