"""AdmitMany: the requests of one caller on one stream, answered before they are durable."""

from dataclasses import dataclass
from functools import partial
from typing import Final

from comptoir.router.v1 import router_pb2

from services.kernel.errors import ComptoirError
from services.kernel.steps import turn
from services.router.domain.admission import Admitter
from services.router.wire import admission as wire
from services.runtime.grpc.error_details import detail_from
from services.runtime.grpc.interceptors import validate
from services.runtime.grpc.joined.answers import JoinedAnswers, JoinedStreams
from services.runtime.grpc.joined.message_spacing import MessageSpacing

METHOD: Final = "comptoir.router.v1.RouterService/AdmitMany"
# Word of records comes between the answers, and shares their messages.
_SPACING_SECONDS: Final = 0.002


class JoinedAdmissions:
    """The calls of one stream, and what is to be said of them."""

    def __init__(self, streams: JoinedStreams, admission: Admitter) -> None:
        self.answers: JoinedAnswers[router_pb2.AdmitManyRequest, router_pb2.AdmitManyResponse] = (
            JoinedAnswers(streams, METHOD, outgoing=self.outgoing, spacing=MessageSpacing(_SPACING_SECONDS))
        )
        self._admission = admission
        self._response = router_pb2.AdmitManyResponse()
        self._has_response = False

    def receive(self, message: router_pb2.AdmitManyRequest) -> None:
        """Begins and cancels calls."""
        for asked in message.calls:
            call = _Call(asked)
            self.answers.start(
                asked.call_number,
                partial(self._serve, call),
                partial(self._fail, call),
                timeout_milliseconds=asked.timeout_milliseconds,
            )
        for next_offer in message.next_offers:
            self.answers.start(
                next_offer.call_number,
                partial(self._serve_next, next_offer),
                partial(self._refuse_next, next_offer.call_number),
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

    async def _serve(self, call: "_Call") -> None:
        # The prompts of one request come in one message, and each is some tenths of a millisecond.
        await turn()
        validate(call.asked.request)
        decision = await self._admission.decide(wire.admit_request(call.asked.request))
        call.is_admitted = True
        admitted = wire.admit_response(decision.admission)
        self._response.answers.add(call_number=call.asked.call_number, admitted=admitted)
        self._tell()
        await self._admission.record(decision)
        self._response.recorded.append(call.asked.call_number)
        self._tell()

    def _fail(self, call: "_Call", error: ComptoirError) -> None:
        number, detail = call.asked.call_number, detail_from(error)
        if call.is_admitted:
            self._response.unrecorded.add(call_number=number, error=detail)
        else:
            self._response.answers.add(call_number=number, refused=detail)
        self._tell()

    async def _serve_next(self, asked: router_pb2.NextOfferCall) -> None:
        await turn()
        validate(asked.request)
        request, of = asked.request, wire.next_offer_request(asked.request)
        offer = await self._admission.next_offer(*of, is_hedge=request.is_hedge, needs=request.needs)
        self._response.next_offers.add(call_number=asked.call_number, offer=wire.ticket_offer(offer))
        self._tell()

    def _refuse_next(self, number: int, error: ComptoirError) -> None:
        self._response.next_offers.add(call_number=number, refused=detail_from(error))
        self._tell()

    def _tell(self) -> None:
        self._has_response = True
        self.answers.wake()


@dataclass(slots=True)
class _Call:
    """One request, and whether its caller has tickets."""

    asked: router_pb2.AdmitCall
    is_admitted: bool = False
