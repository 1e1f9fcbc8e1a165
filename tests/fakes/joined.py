"""Joined calls for servicers that are written for single ones: each call goes to the single method."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import aclosing
from functools import partial
from typing import Any, cast

from comptoir.emitter.v1 import emitter_pb2, emitter_pb2_grpc
from comptoir.error.v1.error_reason_pb2 import ErrorDetail
from comptoir.generator.v1 import generator_pb2, generator_pb2_grpc
from comptoir.router.v1 import router_pb2, router_pb2_grpc
from google.protobuf.message import Message

from services.kernel.clock import SystemClock
from services.kernel.errors import ComptoirError
from services.runtime.grpc.call_log import CallLog
from services.runtime.grpc.error_details import detail_from, error_of
from services.runtime.grpc.joined.answers import JoinedAnswers, JoinedStreams

Work = Callable[[Callable[[Any], None]], Coroutine[Any, Any, None]]


def joined_streams() -> JoinedStreams:
    return JoinedStreams(CallLog(SystemClock()))


def heard(detail: ErrorDetail) -> ComptoirError:
    """What a caller makes of a call that failed."""
    error = error_of(detail)
    assert error is not None
    return error


class _Stream:
    """Says one message at a time, in the order in which they come up."""

    def __init__(self, method: str) -> None:
        self._messages: list[Message] = []
        self.answers: JoinedAnswers[Any, Any] = JoinedAnswers(
            joined_streams(), method, outgoing=self._outgoing
        )

    def start(
        self, number: int, work: Work, failure: Callable[[ComptoirError], Message], *, milliseconds: int = 0
    ) -> None:
        self.answers.start(
            number,
            partial(work, self.say),
            lambda error: self.say(failure(error)),
            timeout_milliseconds=milliseconds,
        )

    def say(self, message: Message) -> None:
        self._messages.append(message)
        self.answers.wake()

    def _outgoing(self) -> Message | None:
        return self._messages.pop(0) if self._messages else None


class RecordsMany(emitter_pb2_grpc.EmitterServiceServicer):
    """For a servicer with `Record`."""

    async def RecordMany(  # type: ignore[override] # noqa: N802 - the schema's name
        self, requests: AsyncIterator[emitter_pb2.RecordManyRequest], context: Any
    ) -> None:
        stream = _Stream("RecordMany")

        def receive(message: emitter_pb2.RecordManyRequest) -> None:
            number = message.call_number
            stream.start(
                number,
                partial(self._record_one, message, context),
                lambda error: emitter_pb2.RecordManyResponse(call_number=number, refused=detail_from(error)),
            )

        await stream.answers.serve(requests, receive, context.write)

    async def _record_one(
        self, message: emitter_pb2.RecordManyRequest, context: Any, say: Callable[[Message], None]
    ) -> None:
        recorded = await cast("Any", self.Record)(message.request, context)
        say(emitter_pb2.RecordManyResponse(call_number=message.call_number, recorded=recorded))


class AdmitsMany(router_pb2_grpc.RouterServiceServicer):
    """For a servicer with `Admit` and `NextOffer`; what it admits is recorded when `recorded` returns."""

    async def recorded(self) -> None:
        """At once."""

    async def AdmitMany(  # type: ignore[override] # noqa: N802 - the schema's name
        self, requests: AsyncIterator[router_pb2.AdmitManyRequest], context: Any
    ) -> None:
        stream = _Stream("AdmitMany")

        def receive(message: router_pb2.AdmitManyRequest) -> None:
            for call in message.calls:
                stream.start(
                    call.call_number,
                    partial(self._admit_one, call, context),
                    partial(_refused_admission, call.call_number),
                    milliseconds=call.timeout_milliseconds,
                )
            for asked in message.next_offers:
                stream.start(
                    asked.call_number,
                    partial(self._offer_one, asked, context),
                    partial(_refused_offer, asked.call_number),
                )
            for number in message.cancelled:
                stream.answers.cancel(number)

        await stream.answers.serve(requests, receive, context.write)

    async def _offer_one(
        self, asked: router_pb2.NextOfferCall, context: Any, say: Callable[[Message], None]
    ) -> None:
        offer = (await cast("Any", self.NextOffer)(asked.request, context)).offer
        answer = router_pb2.NextOfferAnswer(call_number=asked.call_number, offer=offer)
        say(router_pb2.AdmitManyResponse(next_offers=[answer]))

    async def _admit_one(
        self, call: router_pb2.AdmitCall, context: Any, say: Callable[[Message], None]
    ) -> None:
        number = call.call_number
        admitted = await cast("Any", self.Admit)(call.request, context)
        answer = router_pb2.AdmitAnswer(call_number=number, admitted=admitted)
        say(router_pb2.AdmitManyResponse(answers=[answer]))
        try:
            await self.recorded()
        except ComptoirError as error:
            unrecorded = router_pb2.UnrecordedAdmission(call_number=number, error=detail_from(error))
            say(router_pb2.AdmitManyResponse(unrecorded=[unrecorded]))
        else:
            say(router_pb2.AdmitManyResponse(recorded=[number]))


def _refused_offer(number: int, error: ComptoirError) -> Message:
    answer = router_pb2.NextOfferAnswer(call_number=number, refused=detail_from(error))
    return router_pb2.AdmitManyResponse(next_offers=[answer])


def _refused_admission(number: int, error: ComptoirError) -> Message:
    answer = router_pb2.AdmitAnswer(call_number=number, refused=detail_from(error))
    return router_pb2.AdmitManyResponse(answers=[answer])


class GeneratesMany(generator_pb2_grpc.GeneratorServiceServicer):
    """For a servicer whose `Generate` yields; a whole answer is what it yields, in one message."""

    async def GenerateWhole(  # noqa: N802 - the schema's name
        self, request: generator_pb2.GenerateRequest, context: Any
    ) -> generator_pb2.GenerateWholeResponse:
        whole = generator_pb2.GenerateWholeResponse()
        answer: Any = self.Generate(request, context)
        async with aclosing(answer) as responses:
            async for response in responses:
                if response.HasField("started"):
                    await context.send_initial_metadata((("comptoir-accepted", "1"),))
                    whole.started.CopyFrom(response.started)
                    whole.choices.add()
                elif response.HasField("finished"):
                    whole.finished.CopyFrom(response.finished)
                else:
                    whole.choices[0].text += response.delta.text
        return whole

    async def GenerateMany(  # type: ignore[override] # noqa: N802 - the schema's name
        self, requests: AsyncIterator[generator_pb2.GenerateManyRequest], context: Any
    ) -> None:
        stream = _Stream("GenerateMany")

        def receive(message: generator_pb2.GenerateManyRequest) -> None:
            for call in message.calls:
                stream.start(
                    call.call_number,
                    partial(self._generate_one, call, context),
                    partial(_failed_generation, call.call_number),
                    milliseconds=call.timeout_milliseconds,
                )
            for number in message.cancelled:
                stream.answers.cancel(number)

        await stream.answers.serve(requests, receive, context.write)

    async def _generate_one(
        self, call: generator_pb2.GenerateCall, context: Any, say: Callable[[Message], None]
    ) -> None:
        request = generator_pb2.GenerateRequest.FromString(call.request)
        answer: Any = self.Generate(request, context)
        async with aclosing(answer) as responses:
            async for response in responses:
                say(_joined(call.call_number, response))
                # As an engine's steps do: everybody else has a turn.
                await asyncio.sleep(0)


def _failed_generation(number: int, error: ComptoirError) -> Message:
    ended = generator_pb2.EndedCall(call_number=number, failed=detail_from(error))
    return generator_pb2.GenerateManyResponse(ended=[ended])


def _joined(number: int, response: generator_pb2.GenerateResponse) -> Message:
    if response.HasField("started"):
        started = generator_pb2.StartedCall(call_number=number, started=response.started)
        return generator_pb2.GenerateManyResponse(started=[started])
    if response.HasField("finished"):
        ended = generator_pb2.EndedCall(call_number=number, finished=response.finished)
        return generator_pb2.GenerateManyResponse(ended=[ended])
    delta = response.delta
    deltas = generator_pb2.Deltas(
        call_numbers=[number], texts=[delta.text], output_tokens=[delta.output_tokens]
    )
    return generator_pb2.GenerateManyResponse(deltas=deltas)
