"""The generations of one replica on one stream."""

import asyncio
import itertools
from collections import deque
from collections.abc import Iterable
from typing import Final

from comptoir.generator.v1 import generator_pb2, generator_pb2_grpc

from services.edge import wire
from services.edge.adapters.call_errors import told
from services.edge.domain.generation import Counts, Delta
from services.edge.domain.ports import Take
from services.kernel.errors import ComptoirError, Reason
from services.runtime.grpc.error_details import error_of
from services.runtime.grpc.joined.stream import JoinedStream
from services.runtime.logs import get_logger, log_failure

_log = get_logger(__name__)
# What gRPC itself says of a stream: a replica that stops cancels its streams, and one that has its most calls
# open says RESOURCE_EXHAUSTED. Neither is the client's doing.
_INSTEAD: Final = {
    Reason.CLIENT_CANCELLED: Reason.UNAVAILABLE,
    Reason.REQUEST_TOO_LARGE: Reason.REPLICA_OVERLOADED,
}
# A replica takes 4 MiB at once, and one request may be 1 MiB.
_MESSAGE_BYTES: Final = 1024 * 1024
_MESSAGE_CALLS: Final = 256
_CHARACTERS_PER_TOKEN: Final = 128
_MOST_WAITING_CHARACTERS: Final = 4 * 1024 * 1024


class JoinedGenerations:
    """What one replica is asked for and what it says, call by call."""

    def __init__(self, stub: "generator_pb2_grpc.GeneratorServiceAsyncStub") -> None:
        self._stream = JoinedStream(stub.GenerateMany, self)
        self._numbers = itertools.count(1)
        self._calls: dict[int, GeneratorCall] = {}
        self._begun: dict[int, generator_pb2.GenerateCall] = {}
        self._cancelled: list[int] = []

    @property
    def open_calls(self) -> int:
        """Generations that have not ended."""
        return len(self._calls)

    def begin(self, request: bytes, *, timeout_milliseconds: int) -> "GeneratorCall":
        """Returns a generation that is on its way to the replica."""
        number = next(self._numbers)
        call = self._calls[number] = GeneratorCall(self, number)
        self._begun[number] = generator_pb2.GenerateCall(
            call_number=number, request=request, timeout_milliseconds=timeout_milliseconds
        )
        self._stream.wake()
        return call

    def cancel(self, number: int) -> None:
        """Stops the replica's work for a call; harmless for one that has ended."""
        if self._calls.pop(number, None) is None:
            return
        # A replica that hangs takes nothing: its prompts would wait here for longer than their requests live.
        if self._begun.pop(number, None) is None:
            self._cancelled.append(number)
            self._stream.wake()

    async def close(self) -> None:
        """Ends the stream; generations that have not ended fail."""
        await self._stream.close()

    def outgoing(self) -> generator_pb2.GenerateManyRequest | None:
        """Takes the next message; one is never too large for the replica."""
        if not (self._begun or self._cancelled):
            return None
        calls, size = list[generator_pb2.GenerateCall](), 0
        for call in itertools.islice(self._begun.values(), _MESSAGE_CALLS):
            size += len(call.request)
            if calls and size > _MESSAGE_BYTES:
                break
            calls.append(call)
        for call in calls:
            del self._begun[call.call_number]
        message = generator_pb2.GenerateManyRequest(calls=calls, cancelled=self._cancelled[:_MESSAGE_CALLS])
        del self._cancelled[:_MESSAGE_CALLS]
        return message

    def incoming(self, message: generator_pb2.GenerateManyResponse) -> None:
        """Hands each call what is new of it; what is said of a cancelled one is nobody's."""
        for started in message.started:
            if (call := self._calls.get(started.call_number)) is not None:
                call.hear_started()
        deltas = message.deltas
        for number, text in zip(deltas.call_numbers, deltas.texts, strict=False):
            if (call := self._calls.get(number)) is not None:
                call.hear_text(text)
        self._hear_details(message.details)
        for ended in message.ended:
            if (call := self._calls.pop(ended.call_number, None)) is not None:
                call.hear_end(ended)

    def _hear_details(self, details: Iterable[generator_pb2.CallDelta]) -> None:
        for detail in details:
            if (call := self._calls.get(detail.call_number)) is not None:
                call.hear_delta(wire.delta_from(detail.delta))

    def broken(self, error: ComptoirError) -> None:
        """Fails every call: nobody knows what became of them."""
        calls = list(self._calls.values())
        self._calls.clear()
        self._begun.clear()
        self._cancelled.clear()
        for call in calls:
            call.fail(error)


class GeneratorCall:
    """The Generation port on one call.

    An engine does not wait for a reader, so what that has not taken yet waits here, and holds up nobody else.
    Above a bound that no answer of a model reaches, the replica's work is cancelled.
    """

    def __init__(self, joined: JoinedGenerations, number: int) -> None:
        self._joined = joined
        self._number = number
        self._texts: list[str] = []
        # What is more than text; a replica says either of one call.
        self._details: deque[Delta] = deque()
        self._waiting_characters = 0
        self._finished: generator_pb2.Finished | None = None
        self._finishes: deque[Delta] | None = None
        self._failure: ComptoirError | None = None
        self._is_started = False
        self._news: asyncio.Future[None] | None = None
        self._take: Take | None = None
        self.counts: Counts | None = None

    @property
    def is_delta_waiting(self) -> bool:
        """Whether `next_delta` has something to return at once."""
        return bool(self._texts or self._details)

    async def start(self) -> None:
        """Waits until the replica accepted the ticket; raises ComptoirError."""
        while not self._is_started:
            await self._next_news()

    async def next_delta(self, take: Take | None = None) -> Delta | None:
        """Returns all that is new, None when the answer is whole; raises ComptoirError.

        Text that comes while this waits goes to `take`, in the turn of the step that brought it: to wake a
        task for it would cost more than to write it.
        """
        while not self.is_delta_waiting:
            if self._finished is not None:
                return self._next_finish(self._finished)
            self._take = take
            try:
                await self._next_news()
            finally:
                self._take = None
        if self._details:
            delta = self._details.popleft()
            self._waiting_characters -= _characters_of(delta)
            return delta
        texts, self._texts = self._texts, []
        self._waiting_characters = 0
        return Delta(texts[0] if len(texts) == 1 else "".join(texts))

    def cancel(self) -> None:
        """Stops the replica's work at once; harmless at any time."""
        self._joined.cancel(self._number)
        if self._finished is None:
            self.fail(ComptoirError(Reason.CLIENT_CANCELLED), is_ours=True)

    def hear_started(self) -> None:
        """Takes the word that the replica accepted the ticket."""
        self._is_started = True
        self._tell()

    def hear_text(self, text: str) -> None:
        """Takes more of the answer."""
        # What waits already goes first.
        if self._take is not None and not self._texts and self._is_taken(self._take, Delta(text)):
            return
        if self._has_room_for(len(text)):
            self._texts.append(text)
            self._tell()

    def hear_delta(self, delta: Delta) -> None:
        """Takes more of the answer that is more than text."""
        if self._take is not None and not self._details and self._is_taken(self._take, delta):
            return
        if self._has_room_for(_characters_of(delta)):
            self._details.append(delta)
            self._tell()

    def hear_end(self, ended: generator_pb2.EndedCall) -> None:
        """Takes the end: the answer is whole, or will never be."""
        if ended.HasField("finished"):
            self._finished = ended.finished
            self._tell()
        else:
            self.fail(error_of(ended.failed) or ComptoirError(Reason.INTERNAL))

    def fail(self, error: ComptoirError, *, is_ours: bool = False) -> None:
        """Fails the call: nothing more will come."""
        if self._failure is None:
            self._failure = error if is_ours else told(error, _INSTEAD)
            self._tell()

    def _has_room_for(self, characters: int) -> bool:
        self._waiting_characters += characters
        if self._waiting_characters <= _MOST_WAITING_CHARACTERS:
            return True
        self._joined.cancel(self._number)
        self.fail(ComptoirError(Reason.DEADLINE_EXCEEDED))
        return False

    def _next_finish(self, finished: generator_pb2.Finished) -> Delta | None:
        if self._finishes is None:
            self._finishes = deque(wire.finishes_from(finished))
            self.counts = wire.counts_from(finished)
        return self._finishes.popleft() if self._finishes else None

    def _is_taken(self, take: Take, delta: Delta) -> bool:
        try:
            return take(delta)
        except Exception as defect:  # noqa: BLE001 - it ends this generation, and not the step of all others
            log_failure(_log, "delta_not_taken", defect)
            self._take = None
            self._joined.cancel(self._number)
            self.fail(ComptoirError(Reason.INTERNAL), is_ours=True)
            return True

    def _tell(self) -> None:
        if self._news is not None and not self._news.done():
            self._news.set_result(None)

    async def _next_news(self) -> None:
        """Waits for more, where there is nothing; raises why nothing will come."""
        if self._failure is not None:
            raise self._failure
        self._news = asyncio.get_running_loop().create_future()
        await self._news
        if self._failure is not None and not self.is_delta_waiting:
            raise self._failure


def _characters_of(delta: Delta) -> int:
    """Returns the room that a delta takes, in characters: about, where it is tokens."""
    tokens = sum(1 + len(token.likeliest) for token in delta.tokens)
    return len(delta.text) + len(delta.reasoning) + _CHARACTERS_PER_TOKEN * tokens
