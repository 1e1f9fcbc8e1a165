"""AdmitMany: the requests of one caller on one stream, answered before they are durable."""

import asyncio
from functools import partial
from typing import Final

from comptoir.router.v1 import router_pb2

from services.kernel.errors import ComptoirError, Reason
from services.router.domain.admission import Admitter
from services.router.wire import admission as wire
from services.runtime.grpc.error_details import detail_from
from services.runtime.grpc.interceptors import validate
from services.runtime.grpc.joined.answers import JoinedAnswers, JoinedStreams

METHOD: Final = "comptoir.router.v1.RouterService/AdmitMany"
_MILLISECONDS: Final = 1000


class JoinedAdmissions:
    """The calls of one stream, and what is to be said of them."""

    def __init__(self, streams: JoinedStreams, admission: Admitter) -> None:
        self.answers: JoinedAnswers[router_pb2.AdmitManyRequest, router_pb2.AdmitManyResponse] = (
            JoinedAnswers(streams, METHOD, outgoing=self.outgoing)
        )
        self._admission = admission
        self._response = router_pb2.AdmitManyResponse()
        self._has_response = False

    def receive(self, message: router_pb2.AdmitManyRequest) -> None:
        """Begins and cancels calls."""
        for call in message.calls:
            self.answers.start(
                call.call_number, partial(self._serve, call), partial(self._refuse, call.call_number)
            )
        for number in message.cancelled:
            self.answers.cancel(number)

    def outgoing(self) -> router_pb2.AdmitManyResponse | None:
        """Takes what is to be sent, as one message."""
        if not self._has_response:
            return None
        response = self._response
        self._response, self._has_response = router_pb2.AdmitManyResponse(), False
        return response

    async def _serve(self, call: router_pb2.AdmitCall) -> None:
        validate(call.request)
        try:
            async with asyncio.timeout(call.timeout_milliseconds / _MILLISECONDS or None):
                decision = await self._admission.decide(wire.admit_request(call.request))
        except TimeoutError:
            raise ComptoirError(Reason.DEADLINE_EXCEEDED) from None
        self._response.answers.add(
            call_number=call.call_number, admitted=wire.admit_response(decision.admission)
        )
        self._tell()
        try:
            await self._admission.record(decision)
        except ComptoirError as error:
            self._response.unrecorded.add(call_number=call.call_number, error=detail_from(error))
        else:
            self._response.recorded.append(call.call_number)
        self._tell()

    def _refuse(self, number: int, error: ComptoirError) -> None:
        self._response.answers.add(call_number=number, refused=detail_from(error))
        self._tell()

    def _tell(self) -> None:
        self._has_response = True
        self.answers.wake()
