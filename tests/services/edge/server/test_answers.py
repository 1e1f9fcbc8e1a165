"""What of an answer travels in one write; the bytes themselves are in test_streams and test_chat."""

import asyncio

import pytest

from services.edge.domain.generation import GenerationRequest, Message, Role
from services.edge.domain.openai.chat_answers import ChatHead, ChunkWriter
from services.edge.server.answers import send_stream
from services.edge.server.delivery import Deliveries
from services.edge.server.http.exchange import Exchange
from services.kernel.clock import SystemClock
from services.runtime.http.asgi import WRITE_PART
from services.runtime.http.asgi import Message as AsgiMessage
from tests.services.edge.conftest import LIMITS
from tests.services.edge.memory import MemoryGenerators, MemoryRouter
from tests.services.edge.scripts import GOOD_KEY, GeneratorScript, RouterScript, Step

REQUEST = GenerationRequest("m", (Message(Role.USER, "x"),), is_streamed=True)


class Writes:
    """A stream's client: each body that is written, which begins with a head where one was held."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.has_written = asyncio.Event()

    async def send(self, message: AsgiMessage) -> None:
        if message["type"] == "http.response.body":
            self.write(message["body"])

    def write(self, body: bytes) -> bool:
        self.bodies.append(body)
        self.has_written.set()
        return True


async def written(steps: list[Step], writes: Writes) -> list[bytes]:
    clock = SystemClock()
    scope = {"headers": [], "state": {WRITE_PART: writes.write}}
    exchange = Exchange(scope, pytest.fail, writes.send, clock=clock)
    router, replicas = RouterScript(["replica"]), {"replica": GeneratorScript(steps=steps)}
    deliveries = Deliveries(MemoryRouter(router), MemoryGenerators(replicas), LIMITS, clock)
    writer = ChunkWriter(ChatHead("0", 1), includes_usage=False)
    async with deliveries.open(key=GOOD_KEY, request=REQUEST, event=exchange.event) as delivery:
        await send_stream(exchange, delivery, writer, ping_seconds=5)
    return writes.bodies


async def test_a_text_that_is_there_travels_with_who_speaks() -> None:
    first, second, end = await written(["Bon", "jour"], Writes())
    assert b'"role":"assistant"' in first
    assert b'"content":"Bon"' in first
    assert b'"content":"jour"' in second
    assert end.endswith(b"data: [DONE]\n\n")
    assert b'"finish_reason":"stop"' in end


async def test_who_speaks_waits_for_no_text() -> None:
    gate, writes = asyncio.Event(), Writes()
    task = asyncio.create_task(written([gate, "Bon"], writes))
    await asyncio.wait_for(writes.has_written.wait(), 2)
    assert len(writes.bodies) == 1
    assert b'"content":"Bon"' not in writes.bodies[0]
    gate.set()
    bodies = await asyncio.wait_for(task, 2)
    assert len(bodies) == 3
