"""A service of joined calls, and a caller of it: numbers go in, words come out."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import grpc
from google.protobuf.struct_pb2 import ListValue

from services.kernel.clock import ManualClock
from services.kernel.errors import ComptoirError
from services.kernel.identity import Identity
from services.runtime.addresses import GrpcListen, GrpcTarget
from services.runtime.grpc.joined.answers import JoinedAnswers
from services.runtime.grpc.joined.message_spacing import MessageSpacing
from services.runtime.grpc.joined.stream import JoinedStream
from services.runtime.grpc.server import GrpcServer, build_server, channel

METHOD = "test.Shouting/Many"
MAX_CALLS = 8


class Shouting:
    """Keeps each call open until the test says its word; messages are lists of numbers, or of pairs."""

    def __init__(self, spacing: MessageSpacing | None = None) -> None:
        self.spacing = spacing
        self.words: dict[int, asyncio.Queue[str | Exception]] = {}
        self.messages_read = 0
        self.messages_written: list[list[Any]] = []
        self.cancelled: list[int] = []
        self.streams: list[JoinedAnswers[ListValue, ListValue]] = []
        self.may_write = asyncio.Event()
        self.may_write.set()
        self.server: GrpcServer | None = None

    async def many(self, requests: AsyncIterator[ListValue], context: Any) -> None:
        assert self.server is not None
        stream = _Stream(self, self.server, context)
        self.streams.append(stream.answers)
        await stream.answers.serve(requests, stream.receive, stream.write)

    def say(self, number: int, word: str | Exception) -> None:
        self.words.setdefault(number, asyncio.Queue()).put_nowait(word)


class _Stream:
    def __init__(self, service: Shouting, server: GrpcServer, context: Any) -> None:
        self._service = service
        self._context = context
        self._outbox: list[tuple[int, str]] = []
        self.answers: JoinedAnswers[ListValue, ListValue] = JoinedAnswers(
            server.joined,
            METHOD,
            outgoing=self.outgoing,
            max_calls=MAX_CALLS,
            spacing=service.spacing,
        )

    def outgoing(self) -> ListValue | None:
        if not self._outbox:
            return None
        message = _list([_list(pair) for pair in self._outbox])
        self._service.messages_written.append(list(self._outbox))
        self._outbox.clear()
        return message

    def receive(self, message: ListValue) -> None:
        self._service.messages_read += 1
        for number in _numbers(message):
            if number < 0:
                self.answers.cancel(-number)
            else:
                self.answers.start(
                    number,
                    partial(self._serve, number),
                    partial(self._failed, number),
                    request_id=Identity(0, number),
                )

    async def write(self, message: ListValue) -> None:
        await self._service.may_write.wait()
        await self._context.write(message)

    async def _serve(self, number: int) -> None:
        try:
            word = await self._service.words.setdefault(number, asyncio.Queue()).get()
        except asyncio.CancelledError:
            self._service.cancelled.append(number)
            raise
        if isinstance(word, Exception):
            raise word
        self._tell(number, word)

    def _failed(self, number: int, error: ComptoirError) -> None:
        self._tell(number, error.reason.name)

    def _tell(self, number: int, word: str) -> None:
        self._outbox.append((number, word))
        self.answers.wake()


def _list(values: Sequence[Any]) -> ListValue:
    message = ListValue()
    message.extend(values)
    return message


def _numbers(message: ListValue) -> list[int]:
    return [int(value.number_value) for value in message.values]


class Listening:
    """The caller: a future for each call."""

    def __init__(self, connection: grpc.aio.Channel, spacing: MessageSpacing | None = None) -> None:
        self.heard: dict[int, asyncio.Future[str]] = {}
        self._outbox: list[int] = []
        method = connection.stream_stream(
            f"/{METHOD}",
            request_serializer=ListValue.SerializeToString,
            response_deserializer=ListValue.FromString,
        )
        self.stream = JoinedStream(method, self, spacing)

    def ask(self, number: int) -> "asyncio.Future[str]":
        future = self.heard[number] = asyncio.get_running_loop().create_future()
        self.send(number)
        return future

    def send(self, number: int) -> None:
        self._outbox.append(number)
        self.stream.wake()

    def outgoing(self) -> ListValue | None:
        if not self._outbox:
            return None
        message = _list(self._outbox)
        self._outbox.clear()
        return message

    def incoming(self, message: ListValue) -> None:
        for pair in message.values:
            number, word = pair.list_value.values
            future = self.heard[int(number.number_value)]
            if not future.done():
                future.set_result(word.string_value)

    def broken(self, error: ComptoirError) -> None:
        self._outbox.clear()
        for future in self.heard.values():
            if not future.done():
                future.set_exception(ComptoirError(error.reason))
                # Not every test asks what became of its calls, and asyncio reports what nobody asked for.
                future.exception()


@asynccontextmanager
async def shouting(
    address: str, *, called: MessageSpacing | None = None, calling: MessageSpacing | None = None
) -> AsyncIterator[tuple[Shouting, Listening]]:
    """Runs a service and a caller, each with the spacing of its messages."""
    service = Shouting(called)
    service.server = server = build_server(GrpcListen(address=address), clock=ManualClock())
    handler = grpc.stream_stream_rpc_method_handler(
        service.many,
        request_deserializer=ListValue.FromString,
        response_serializer=ListValue.SerializeToString,
    )
    server.server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler("test.Shouting", {"Many": handler}),)
    )
    await server.start()
    try:
        async with channel(GrpcTarget(address=address)) as connection:
            listening = Listening(connection, calling)
            yield service, listening
            await listening.stream.close()
    finally:
        await server.drain(0)
