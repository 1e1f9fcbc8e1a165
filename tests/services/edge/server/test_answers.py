"""What of an answer travels in one write; the bytes themselves are in test_streams and test_chat."""

import asyncio
from collections.abc import Callable
from typing import cast

import pytest

from services.edge.domain.generation import (
    Counts,
    Delta,
    FinishReason,
    GenerationRequest,
    Message,
    Role,
    TokenChoice,
    TokenLogprob,
)
from services.edge.domain.openai.chat.answers import ChatHead, ChunkWriter
from services.edge.domain.openai.completions.answers import CompletionChunkWriter, CompletionHead
from services.edge.domain.openai.responses.answers import ResponseEventWriter, ResponseHead
from services.edge.domain.ports import Take
from services.edge.server.answers import StreamWriter, send_stream
from services.edge.server.delivery import Deliveries, Delivery
from services.edge.server.http.exchange import Exchange
from services.edge.server.large_answers import GrowingPlace, LargeAnswers
from services.kernel.clock import SystemClock
from services.kernel.errors import ComptoirError, Reason
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

    def write(self, body: bytes) -> None:
        self.bodies.append(body)
        self.has_written.set()

    def write_part(self, made: Callable[[], bytes]) -> bool:
        self.write(made())
        return True


class SlowReader(Writes):
    """As Writes, but now and then it has not read what came before: each of `pauses` refuses one part."""

    def __init__(self, pauses: list[bool]) -> None:
        super().__init__()
        self._pauses = pauses

    def write_part(self, made: Callable[[], bytes]) -> bool:
        return not self._pauses.pop(0) and super().write_part(made)


def any_place() -> GrowingPlace:
    return GrowingPlace(LargeAnswers(wait_seconds=1), GOOD_KEY, max_bytes=1024 * 1024)


async def written(steps: list[Step], writes: Writes) -> list[bytes]:
    clock = SystemClock()
    scope = {"headers": [], "state": {WRITE_PART: writes.write_part}}
    exchange = Exchange(scope, pytest.fail, writes.send, clock=clock)
    router, replicas = RouterScript(["replica"]), {"replica": GeneratorScript(steps=steps)}
    deliveries = Deliveries(MemoryRouter(router), MemoryGenerators(replicas), LIMITS, clock)
    writer = ChunkWriter(ChatHead("0", 1), includes_usage=False)
    async with deliveries.open(key=GOOD_KEY, request=REQUEST, event=exchange.event) as delivery:
        await send_stream(exchange, delivery, writer, any_place(), ping_seconds=5)
    return writes.bodies


class LeavesAtTheEnd(Writes):
    """As Writes, but the deadline is over once a first part of the last event was written."""

    async def send(self, message: AsgiMessage) -> None:
        await super().send(message)
        if b"response.completed" in message.get("body", b""):
            raise ComptoirError(Reason.DEADLINE_EXCEEDED)


async def test_an_error_does_not_stand_within_the_last_event_of_a_response() -> None:
    writes, writer = LeavesAtTheEnd(), ResponseEventWriter(ResponseHead("0", 1, '"tools":[]'))
    exchange = Exchange({"headers": [], "state": {}}, pytest.fail, writes.send, clock=SystemClock())
    exchange.event.is_streamed = True
    deliveries = Deliveries(
        MemoryRouter(RouterScript(["replica"])),
        MemoryGenerators({"replica": GeneratorScript(steps=["a" * 80_000])}),
        LIMITS,
        exchange.clock,
    )
    with pytest.raises(ComptoirError) as late:
        async with deliveries.open(key=GOOD_KEY, request=REQUEST, event=exchange.event) as delivery:
            await send_stream(exchange, delivery, writer, any_place(), ping_seconds=5)
    written_before = list(writes.bodies)
    await exchange.fail(late.value)
    assert writes.bodies == written_before
    assert b"response.completed" in writes.bodies[-1]


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


class TextsAsTheyCome:
    """A delivery whose deltas go to `take` where it takes them, as those of a replica do."""

    model_name, retirement, is_delta_waiting = "m", None, False
    quota = RouterScript([]).quota
    counts = Counts(1, 0, 3)

    def __init__(self, deltas: list[Delta]) -> None:
        self._deltas = deltas

    async def start(self) -> None:
        return None

    async def next_delta(self, take: Take | None = None) -> Delta | None:
        while self._deltas:
            delta = self._deltas.pop(0)
            if take is None or not take(delta):
                return delta
        return None


async def stream_of(writer: StreamWriter, reader: Writes) -> bytes:
    scope = {"headers": [], "state": {WRITE_PART: reader.write_part}}
    exchange = Exchange(scope, pytest.fail, reader.send, clock=SystemClock())
    deltas = [
        Delta(text, tokens=(TokenChoice(TokenLogprob(text.encode(), -0.5)),)) for text in ("Bon", "jour", "!")
    ]
    delivery = TextsAsTheyCome([*deltas, Delta(finish=FinishReason.STOP)])
    await send_stream(exchange, cast(Delivery, delivery), writer, any_place(), ping_seconds=5)
    assert exchange.event.response_bytes == sum(map(len, reader.bodies))
    return b"".join(reader.bodies)


@pytest.mark.parametrize("pauses", [[True, True, True], [True, False, True], [False, True, True]])
@pytest.mark.parametrize(
    "make_writer",
    [
        lambda: ChunkWriter(ChatHead("0", 1), includes_usage=True),
        lambda: CompletionChunkWriter(CompletionHead("0", 1), includes_usage=True),
        lambda: ResponseEventWriter(ResponseHead("0", 1, '"tools":[]')),
    ],
    ids=["chat", "completions", "responses"],
)
async def test_who_reads_slowly_gets_the_same_stream(
    make_writer: Callable[[], StreamWriter], pauses: list[bool]
) -> None:
    read_at_once = await stream_of(make_writer(), SlowReader([False] * 3))
    assert await stream_of(make_writer(), SlowReader(list(pauses))) == read_at_once
