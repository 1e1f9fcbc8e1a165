"""RecordMany: the batches of one producer on one stream, answered as each becomes durable."""

from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias

from comptoir.emitter.v1 import emitter_pb2

from services.kernel.errors import ComptoirError
from services.runtime.grpc.error_details import detail_from
from services.runtime.grpc.joined.answers import JoinedAnswers, JoinedStreams

METHOD: Final = "comptoir.emitter.v1.EmitterService/RecordMany"

Record: TypeAlias = Callable[[emitter_pb2.RecordRequest], Awaitable[emitter_pb2.RecordResponse]]


class JoinedRecords:
    """The batches of one stream, and what is to be said of them."""

    def __init__(self, streams: JoinedStreams, record: Record) -> None:
        self.answers: JoinedAnswers[emitter_pb2.RecordManyRequest, emitter_pb2.RecordManyResponse] = (
            JoinedAnswers(streams, METHOD, outgoing=self.outgoing)
        )
        self._record = record
        self._results: list[emitter_pb2.RecordManyResponse] = []

    def receive(self, message: emitter_pb2.RecordManyRequest) -> None:
        """Begins a batch."""
        number = message.call_number

        async def serve() -> None:
            recorded = await self._record(message.request)
            self._tell(emitter_pb2.RecordManyResponse(call_number=number, recorded=recorded))

        def failed(error: ComptoirError) -> None:
            self._tell(emitter_pb2.RecordManyResponse(call_number=number, refused=detail_from(error)))

        self.answers.start(number, serve, failed)

    def outgoing(self) -> emitter_pb2.RecordManyResponse | None:
        """Takes what is to be sent next."""
        return self._results.pop() if self._results else None

    def _tell(self, result: emitter_pb2.RecordManyResponse) -> None:
        self._results.append(result)
        self.answers.wake()
