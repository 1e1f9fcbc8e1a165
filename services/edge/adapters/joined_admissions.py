"""The admissions of one router on one stream, answered before they are durable."""

import asyncio
import itertools
from collections.abc import Mapping
from typing import Any, Final, TypeAlias

from comptoir.error.v1.error_reason_pb2 import ErrorDetail
from comptoir.router.v1 import router_pb2, router_pb2_grpc

from services.edge.adapters.call_errors import told
from services.kernel.errors import ComptoirError, Reason
from services.runtime.grpc.error_details import error_of
from services.runtime.grpc.joined.message_spacing import MessageSpacing
from services.runtime.grpc.joined.stream import JoinedStream

_Answer: TypeAlias = router_pb2.AdmitAnswer | router_pb2.NextOfferAnswer

# Of one message: a question is at most some 600 bytes.
_MESSAGE_CALLS: Final = 1024
# A message that comes alone costs a router as much as the decision of what it asks.
SPACING_SECONDS: Final = 0.002


class JoinedAdmissions:
    """What a router is asked and what it says, call by call; `instead` as in `call_error`."""

    def __init__(
        self, stub: "router_pb2_grpc.RouterServiceAsyncStub", instead: Mapping[Reason, Reason]
    ) -> None:
        self._stream = JoinedStream(stub.AdmitMany, self, MessageSpacing(SPACING_SECONDS))
        self._instead = instead
        self._numbers = itertools.count(1)
        self._calls: dict[int, AdmissionCall | NextOfferCall] = {}
        self._asked: list[router_pb2.AdmitCall] = []
        self._asked_next: list[router_pb2.NextOfferCall] = []
        self._cancelled: list[int] = []

    def ask(self, request: router_pb2.AdmitRequest, *, timeout_milliseconds: int) -> "AdmissionCall":
        """Returns a call that is on its way to the router."""
        number = next(self._numbers)
        call = self._calls[number] = AdmissionCall(self, number)
        self._asked.append(
            router_pb2.AdmitCall(
                call_number=number, request=request, timeout_milliseconds=timeout_milliseconds
            )
        )
        self._stream.wake()
        return call

    def ask_next(self, request: router_pb2.NextOfferRequest) -> "NextOfferCall":
        """Returns a question for another ticket that is on its way to the router."""
        number = next(self._numbers)
        call = self._calls[number] = NextOfferCall(self, number)
        self._asked_next.append(router_pb2.NextOfferCall(call_number=number, request=request))
        self._stream.wake()
        return call

    def cancel(self, number: int) -> None:
        """Tells the router that nobody waits any more; harmless for a call that has its answers."""
        if self._calls.pop(number, None) is not None:
            self._cancelled.append(number)
            self._stream.wake()

    async def close(self) -> None:
        """Ends the stream; calls without an answer fail."""
        await self._stream.close()

    def outgoing(self) -> router_pb2.AdmitManyRequest | None:
        """Takes the next message."""
        if not (self._asked or self._asked_next or self._cancelled):
            return None
        message = router_pb2.AdmitManyRequest(
            calls=self._asked[:_MESSAGE_CALLS],
            next_offers=self._asked_next[:_MESSAGE_CALLS],
            cancelled=self._cancelled[:_MESSAGE_CALLS],
        )
        for waiting in (self._asked, self._asked_next, self._cancelled):
            del waiting[:_MESSAGE_CALLS]
        return message

    def incoming(self, message: router_pb2.AdmitManyResponse) -> None:
        """Hands each call what is said of it."""
        for answer in message.answers:
            call = self._told(answer, is_last=False)
            if isinstance(call, AdmissionCall):
                call.hear_admitted(answer.admitted)
        for number in message.recorded:
            if isinstance(call := self._calls.pop(number, None), AdmissionCall):
                call.hear_recorded()
        for unrecorded in message.unrecorded:
            self._fail(unrecorded.call_number, unrecorded.error)
        for offered in message.next_offers:
            call = self._told(offered, is_last=True)
            if isinstance(call, NextOfferCall):
                call.hear_offer(offered.offer)

    def _told(self, answer: _Answer, *, is_last: bool) -> "AdmissionCall | NextOfferCall | None":
        """Returns the call of an answer, unless that is a refusal, which it is told; `is_last` ends it."""
        number = answer.call_number
        if answer.HasField("refused"):
            self._fail(number, answer.refused)
            return None
        return self._calls.pop(number, None) if is_last else self._calls.get(number)

    def broken(self, error: ComptoirError) -> None:
        """Fails every call: nobody knows what was decided, or whether it is durable."""
        calls = list(self._calls.values())
        self._calls.clear()
        for waiting in (self._asked, self._asked_next, self._cancelled):
            waiting.clear()
        for call in calls:
            call.fail(told(error, self._instead))

    def _fail(self, number: int, detail: ErrorDetail) -> None:
        if (call := self._calls.pop(number, None)) is not None:
            call.fail(told(error_of(detail) or ComptoirError(Reason.INTERNAL), self._instead))


class AdmissionCall:
    """One question: first its decision, then word of its record."""

    def __init__(self, joined: JoinedAdmissions, number: int) -> None:
        self._joined = joined
        self._number = number
        loop = asyncio.get_running_loop()
        self._admitted: asyncio.Future[router_pb2.AdmitResponse] = loop.create_future()
        self._recorded: asyncio.Future[None] = loop.create_future()
        # Each is awaited once, by a request that gives the call up where it is cancelled. One that was awaits
        # neither, and asyncio logs an exception that is never retrieved.
        self._admitted.add_done_callback(_retrieve)
        self._recorded.add_done_callback(_retrieve)

    async def admitted(self) -> router_pb2.AdmitResponse:
        """Returns the router's permission, which is not durable yet; raises ComptoirError."""
        return await self._admitted

    async def recorded(self) -> None:
        """Returns once the admission is durable; raises ComptoirError if it is not."""
        await self._recorded

    def cancel(self) -> None:
        """Tells the router that the call is not waited for any more; harmless at any time."""
        self._joined.cancel(self._number)

    def hear_admitted(self, response: router_pb2.AdmitResponse) -> None:
        """Takes the router's decision."""
        if not self._admitted.done():
            self._admitted.set_result(response)

    def hear_recorded(self) -> None:
        """Takes the word that the decision is durable."""
        if not self._recorded.done():
            self._recorded.set_result(None)

    def fail(self, error: ComptoirError) -> None:
        """Fails what has not come yet: the decision, the record, or both."""
        for future in (self._admitted, self._recorded):
            if not future.done():
                future.set_exception(error)


class NextOfferCall:
    """One question for another ticket."""

    def __init__(self, joined: JoinedAdmissions, number: int) -> None:
        self._joined = joined
        self._number = number
        self._offered: asyncio.Future[router_pb2.TicketOffer] = asyncio.get_running_loop().create_future()
        self._offered.add_done_callback(_retrieve)

    async def offered(self) -> router_pb2.TicketOffer:
        """Returns the ticket; raises ComptoirError where there is none."""
        return await self._offered

    def cancel(self) -> None:
        """Tells the router that the call is not waited for any more; harmless at any time."""
        self._joined.cancel(self._number)

    def hear_offer(self, offer: router_pb2.TicketOffer) -> None:
        """Takes the ticket."""
        if not self._offered.done():
            self._offered.set_result(offer)

    def fail(self, error: ComptoirError) -> None:
        """Takes why there is none."""
        if not self._offered.done():
            self._offered.set_exception(error)


def _retrieve(future: "asyncio.Future[Any]") -> None:
    if not future.cancelled():
        future.exception()
