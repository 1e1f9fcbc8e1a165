"""RecordMany: the batches of one producer on one stream, answered as each becomes durable."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Final, TypeAlias

from comptoir.emitter.v1 import emitter_pb2

from services.emitter.domain.ports import Taken
from services.emitter.wire import response_of
from services.kernel.errors import ComptoirError
from services.runtime.grpc.error_details import detail_from
from services.runtime.grpc.joined.answers import JoinedAnswers, JoinedStreams

METHOD: Final = "comptoir.emitter.v1.EmitterService/RecordMany"

Record: TypeAlias = Callable[[emitter_pb2.RecordRequest], asyncio.Future[Taken]]


class JoinedRecords:
    """The batches of one stream, and what is to be said of them."""

    def __init__(self, streams: JoinedStreams, record: Record) -> None:
        self.answers: JoinedAnswers[emitter_pb2.RecordManyRequest, emitter_pb2.RecordManyResponse] = (
            JoinedAnswers(streams, METHOD, outgoing=self.outgoing)
        )
        self._record = record
        self._results: list[emitter_pb2.RecordManyResponse] = []
        self._reads_others = False

    def receive(self, message: emitter_pb2.RecordManyRequest) -> None:
        """Begins a batch; the spool's own future is all that a batch needs of asyncio."""
        number = message.call_number
        self._reads_others = message.reads_others
        self.answers.follow(
            number,
            partial(self._record, message.request),
            partial(self._recorded, number),
            partial(self._refused, number),
        )

    def outgoing(self) -> emitter_pb2.RecordManyResponse | None:
        """Takes what is to be sent next: the batches of one commit travel together to who reads that."""
        if not self._results:
            return None
        result = self._results.pop()
        if self._reads_others:
            result.others.extend(self._results)
            self._results.clear()
        return result

    def _recorded(self, number: int, taken: Taken) -> None:
        self._tell(emitter_pb2.RecordManyResponse(call_number=number, recorded=response_of(taken)))

    def _refused(self, number: int, error: ComptoirError) -> None:
        self._tell(emitter_pb2.RecordManyResponse(call_number=number, refused=detail_from(error)))

    def _tell(self, result: emitter_pb2.RecordManyResponse) -> None:
        self._results.append(result)
        self.answers.wake()
