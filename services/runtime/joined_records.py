"""The batches of one producer on one stream to the emitter."""

import asyncio
import itertools
from collections import deque

from comptoir.emitter.v1 import emitter_pb2, emitter_pb2_grpc

from services.kernel.errors import ComptoirError, Reason
from services.runtime.awake_clock import AwakeClock
from services.runtime.grpc.error_details import error_of
from services.runtime.grpc.joined.stream import JoinedStream


class JoinedRecords:
    """What the emitter is given, and what it says of each batch, in any order."""

    def __init__(self, stub: "emitter_pb2_grpc.EmitterServiceAsyncStub", awake: AwakeClock) -> None:
        self._awake = awake
        self._stream = JoinedStream(stub.RecordMany, self)
        self._numbers = itertools.count(1)
        self._open: dict[int, asyncio.Future[None]] = {}
        self._given: deque[emitter_pb2.RecordManyRequest] = deque()

    async def record(self, request: emitter_pb2.RecordRequest, *, timeout_seconds: float) -> None:
        """Returns once the events are durable; raises the emitter's refusal, or DEADLINE_EXCEEDED.

        Time in which this process stood still is none of the timeout: the answer may have come meanwhile.
        """
        number = next(self._numbers)
        answer = self._open[number] = asyncio.get_running_loop().create_future()
        self._given.append(
            emitter_pb2.RecordManyRequest(call_number=number, request=request, reads_others=True)
        )
        self._stream.wake()
        try:
            await self._awake.wait(answer, timeout_seconds)
        except TimeoutError:
            raise ComptoirError(Reason.DEADLINE_EXCEEDED) from None
        finally:
            # An answer that comes later is nobody's: the same events are sent again.
            del self._open[number]
            answer.cancel()

    async def close(self) -> None:
        """Ends the stream; batches without an answer fail."""
        await self._stream.close()

    def outgoing(self) -> emitter_pb2.RecordManyRequest | None:
        """Takes the next message."""
        return self._given.popleft() if self._given else None

    def incoming(self, message: emitter_pb2.RecordManyResponse) -> None:
        """Ends the waits of `record` for batches with what became of them."""
        self._heard(message)
        for other in message.others:
            self._heard(other)

    def _heard(self, message: emitter_pb2.RecordManyResponse) -> None:
        answer = self._open.get(message.call_number)
        if answer is None or answer.done():
            return
        if message.HasField("recorded"):
            answer.set_result(None)
        else:
            answer.set_exception(error_of(message.refused) or ComptoirError(Reason.REQUEST_INVALID))

    def broken(self, error: ComptoirError) -> None:
        """Fails every batch: nobody knows what became of them."""
        self._given.clear()
        for answer in self._open.values():
            if not answer.done():
                answer.set_exception(ComptoirError(error.reason, field=error.field))
