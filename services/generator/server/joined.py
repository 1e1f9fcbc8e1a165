"""GenerateMany: the answers of one caller on one stream, an engine's step for all of them in one message."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final

from comptoir.generator.v1 import generator_pb2

from services.generator.domain.delta import Delta
from services.generator.domain.generation import Finished, Message, Started
from services.generator.domain.generations import Generations
from services.generator.server.orders import Orders
from services.generator.wire import answers
from services.kernel.clock import Clock
from services.kernel.errors import ComptoirError
from services.runtime.grpc.call_log import name_request
from services.runtime.grpc.error_details import detail_from
from services.runtime.grpc.joined.answers import MAX_CALLS, JoinedAnswers, JoinedStreams

METHOD: Final = "comptoir.generator.v1.GeneratorService/GenerateMany"
# That a ticket was accepted is no reason to write: it travels with the first text, or after so long.
_STARTED_WAITS_SECONDS: Final = 0.02
_MILLISECONDS: Final = 1000
# A caller receives 4 MiB at once, and one delta may have the text of a prompt, of 1 MiB at most.
_MESSAGE_BYTES: Final = 1024 * 1024
_BYTES_PER_CHARACTER: Final = 4


class JoinedGenerations:
    """The calls of one stream and what is to be said of them."""

    def __init__(
        self, streams: JoinedStreams, generations: Generations, orders: Orders, clock: Clock
    ) -> None:
        # An edge has one stream: all that the replica serves may be on it, beside what it refuses.
        max_calls = MAX_CALLS + generations.max_requests
        self.answers: JoinedAnswers[generator_pb2.GenerateManyRequest, generator_pb2.GenerateManyResponse] = (
            JoinedAnswers(streams, METHOD, outgoing=self.outgoing, max_calls=max_calls)
        )
        self._generations = generations
        self._orders = orders
        self._clock = clock
        self._started: list[generator_pb2.StartedCall] = []
        self._timer: asyncio.TimerHandle | None = None
        self._texts: dict[int, _Text] = {}
        self._details: list[generator_pb2.CallDelta] = []
        self._ended: list[generator_pb2.EndedCall] = []
        # As much as texts and details can be, without looking at each character.
        self._most_waiting_bytes = 0

    def receive(self, message: generator_pb2.GenerateManyRequest) -> None:
        """Begins and cancels calls."""
        received_seconds = self._clock.monotonic_seconds()
        for call in message.calls:
            number = call.call_number
            self.answers.start(
                number,
                partial(self._serve, call, received_seconds),
                partial(self._fail, number),
                timeout_milliseconds=call.timeout_milliseconds,
            )
        for number in message.cancelled:
            self.answers.cancel(number)

    def outgoing(self) -> generator_pb2.GenerateManyResponse | None:
        """Takes what is to be sent, as one message; texts of one call that waited are one text."""
        if not (self._started or self._texts or self._ended or self._details):
            return None
        if self._most_waiting_bytes > _MESSAGE_BYTES:
            return self._part()
        message = generator_pb2.GenerateManyResponse(
            started=self._started, details=self._details, ended=self._ended
        )
        if self._texts:
            _add_texts(message, self._texts)
        self._started, self._texts, self._details, self._ended = [], {}, [], []
        self._most_waiting_bytes = 0
        return message

    def _part(self) -> generator_pb2.GenerateManyResponse:
        """Takes some of what is to be sent: what is larger than a caller receives would break its stream.

        The end of a call is told behind all that it said.
        """
        message = generator_pb2.GenerateManyResponse(started=self._started)
        self._started = []
        texts: dict[int, _Text] = {}
        room_bytes = _MESSAGE_BYTES
        while self._texts and room_bytes > 0:
            number = next(iter(self._texts))
            texts[number] = text = self._texts.pop(number)
            room_bytes -= text.most_bytes
        _add_texts(message, texts)
        taken = 0
        while not self._texts and taken < len(self._details) and room_bytes > 0:
            room_bytes -= self._details[taken].ByteSize()
            taken += 1
        message.details.extend(self._details[:taken])
        del self._details[:taken]
        if not (self._texts or self._details):
            message.ended.extend(self._ended)
            self._ended = []
        self._most_waiting_bytes -= _MESSAGE_BYTES - room_bytes
        return message

    async def _serve(self, call: generator_pb2.GenerateCall, received_seconds: float) -> None:
        timeout_seconds = call.timeout_milliseconds / _MILLISECONDS or None
        order = await self._orders.read(call.request, received_seconds, timeout_seconds)
        name_request(order.claims.request_id)
        # Nothing is awaited before it is served: what was admitted must come to its end.
        self._orders.admit(order)
        way = _Way(self._put_text if order.is_text_alone else self._put_detail)
        await self._generations.serve(order, partial(self._put, call.call_number, way))

    def _put(self, number: int, way: "_Way", message: Message) -> None:
        if isinstance(message, Delta):
            if message.reasoning:
                # It comes before all text, and one call has texts or details alone.
                way.put_delta = self._put_detail
            way.put_delta(number, message)
        elif isinstance(message, Started):
            started = answers.started_from(message)
            self._started.append(generator_pb2.StartedCall(call_number=number, started=started))
            self._wake_soon()
        else:
            self._end(number, finished=message)

    def _put_text(self, number: int, delta: Delta) -> None:
        if not self._texts:
            # Once for all the texts of a step.
            self.answers.wake()
        text = self._texts.get(number)
        if text is None:
            text = self._texts[number] = _Text()
        text.add(delta)
        self._most_waiting_bytes += _BYTES_PER_CHARACTER * len(delta.text)

    def _put_detail(self, number: int, delta: Delta) -> None:
        if not self._details:
            self.answers.wake()
        detail = generator_pb2.CallDelta(call_number=number, delta=answers.delta_from(delta))
        self._details.append(detail)
        self._most_waiting_bytes += detail.ByteSize()

    def _wake_soon(self) -> None:
        if self._timer is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(_STARTED_WAITS_SECONDS, self._wake_for_started)

    def _wake_for_started(self) -> None:
        self._timer = None
        # A text that was sent meanwhile took them along.
        if self._started:
            self.answers.wake()

    def _fail(self, number: int, error: ComptoirError) -> None:
        self._end(number, failed=error)

    def _end(
        self, number: int, *, finished: Finished | None = None, failed: ComptoirError | None = None
    ) -> None:
        ended = generator_pb2.EndedCall(
            call_number=number,
            finished=None if finished is None else answers.finished_from(finished),
            failed=None if failed is None else detail_from(failed),
        )
        self._ended.append(ended)
        self.answers.wake()


def _add_texts(message: generator_pb2.GenerateManyResponse, texts: Mapping[int, "_Text"]) -> None:
    message.deltas.call_numbers.extend(texts)
    message.deltas.texts.extend([text.joined() for text in texts.values()])
    message.deltas.output_tokens.extend([text.output_tokens for text in texts.values()])


@dataclass(slots=True)
class _Way:
    """How what is new of one call is told."""

    put_delta: Callable[[int, Delta], None]


class _Text:
    """What one call has said since the last message; most often one piece."""

    __slots__ = ("_pieces", "output_tokens")

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self.output_tokens = 0

    def add(self, delta: Delta) -> None:
        self._pieces.append(delta.text)
        self.output_tokens += delta.output_tokens

    @property
    def most_bytes(self) -> int:
        """As many bytes as its characters can have."""
        return _BYTES_PER_CHARACTER * sum(map(len, self._pieces))

    def joined(self) -> str:
        return self._pieces[0] if len(self._pieces) == 1 else "".join(self._pieces)
