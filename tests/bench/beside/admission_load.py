"""The process that asks a router for admissions, joined or by unary calls; its CPU is counted apart.

Started by the benchmark, which gives it orders on its standard input.
"""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Final, Protocol

import grpc
import uvloop
from comptoir.error.v1 import error_reason_pb2
from comptoir.router.v1 import router_pb2, router_pb2_grpc

from services.edge.adapters.joined_admissions import SPACING_SECONDS
from services.kernel.errors import ComptoirError
from services.runtime.grpc.joined.message_spacing import MessageSpacing
from services.runtime.grpc.joined.stream import JoinedStream
from tests.bench.beside.worker import orders, say

JOINED: Final = "AdmitMany, joined"
UNARY: Final = "Admit, unary"
_PROMPT_TOKENS, _OUTPUT_TOKENS = 64, 16
_CALL_SECONDS: Final = 30.0
_SEED: Final = 20261126


@dataclass(frozen=True, slots=True)
class AdmissionLoad:
    """How admissions are asked for: so many in flight, or, where `rate` is not 0, so many per second.

    Those of a rate come as they come (exponential gaps), whether or not earlier ones were answered.
    """

    way: str
    rate: float
    in_flight: int
    lead_seconds: float
    seconds: float


class Asked(Protocol):
    """One admission that was asked for, as its caller hears of it."""

    def admitted(self) -> None:
        """Takes note that there is a ticket."""
        ...

    def ended(self, failure: str) -> None:
        """Takes why it failed, empty where it is durable."""
        ...


class Caller(Protocol):
    """Asks for admissions."""

    def begin(self, asked: Asked) -> None:
        """Asks for one, and tells when there is a ticket, and when it is durable."""
        ...

    async def close(self) -> None:
        """Ends what is open."""
        ...


def arrivals(rate: float, seed: int) -> Iterator[float]:
    """Yields when each of endless arrivals comes, in seconds from the first moment, with exponential gaps."""
    gaps = random.Random(seed)
    at = 0.0
    while True:
        at += gaps.expovariate(rate)
        yield at


class UnaryCaller:
    """Each admission is a call of its own, which is answered when it is durable."""

    def __init__(self, channel: grpc.aio.Channel, request: router_pb2.AdmitRequest) -> None:
        self._stub = router_pb2_grpc.RouterServiceStub(channel)
        self._request = request
        self._open: set[asyncio.Task[None]] = set()

    def begin(self, asked: Asked) -> None:
        """Asks for one, whose ticket comes when it is durable."""
        task = asyncio.create_task(self._admit(asked))
        self._open.add(task)
        task.add_done_callback(self._open.discard)

    async def _admit(self, asked: Asked) -> None:
        try:
            await self._stub.Admit(self._request, timeout=_CALL_SECONDS)
        except grpc.aio.AioRpcError as error:
            asked.ended(error.code().name)
        else:
            asked.admitted()
            asked.ended("")

    async def close(self) -> None:
        """Waits for what is open, which has a time-out."""
        await asyncio.gather(*self._open)


class JoinedCaller:
    """All admissions on one stream, asked for and answered as many as come together, as an edge does it."""

    def __init__(self, channel: grpc.aio.Channel, request: router_pb2.AdmitRequest) -> None:
        method = router_pb2_grpc.RouterServiceStub(channel).AdmitMany
        self._stream = JoinedStream(method, self, MessageSpacing(SPACING_SECONDS))
        self._request = request
        self._asked: dict[int, Asked] = {}
        self._number = 0
        self._message = router_pb2.AdmitManyRequest()

    def begin(self, asked: Asked) -> None:
        """Asks for one, and tells when there is a ticket, and when it is durable."""
        self._number += 1
        self._asked[self._number] = asked
        self._message.calls.add(call_number=self._number, request=self._request)
        self._stream.wake()

    def outgoing(self) -> router_pb2.AdmitManyRequest | None:
        """Takes what came up since the last message."""
        if not self._message.calls:
            return None
        message, self._message = self._message, router_pb2.AdmitManyRequest()
        return message

    def incoming(self, message: router_pb2.AdmitManyResponse) -> None:
        """Hands each call what is said of it."""
        for answer in message.answers:
            if answer.HasField("refused"):
                self._end(answer.call_number, answer.refused.reason)
            else:
                self._asked[answer.call_number].admitted()
        for number in message.recorded:
            self._asked.pop(number).ended("")
        for unrecorded in message.unrecorded:
            self._end(unrecorded.call_number, unrecorded.error.reason)

    def broken(self, error: ComptoirError) -> None:
        """Fails what is open."""
        asked, self._asked = self._asked, {}
        for each in asked.values():
            each.ended(error.reason.name)

    def _end(self, number: int, reason: "error_reason_pb2.ErrorReason.ValueType") -> None:
        self._asked.pop(number).ended(error_reason_pb2.ErrorReason.Name(reason))

    async def close(self) -> None:
        """Ends the stream."""
        await self._stream.close()


class Asking:
    """One load: it asks as it says, and keeps how long each admission inside its window took."""

    def __init__(self, caller: Caller, load: AdmissionLoad) -> None:
        self._caller, self._load = caller, load
        self._opened, self._closed = float("inf"), float("inf")
        self._is_over = False
        self.durable = 0
        self.ticket_waits_seconds: list[float] = []
        self.waits_seconds: list[float] = []
        self.failures: Counter[str] = Counter()

    async def run(self) -> None:
        """Asks until the window is closed, and says when it opened and closed."""
        asking = asyncio.create_task(self._at_a_rate() if self._load.rate else self._in_flight())
        try:
            await asyncio.sleep(self._load.lead_seconds)
            self._opened = time.monotonic()
            say("opened")
            await asyncio.sleep(self._load.seconds)
            self._closed = time.monotonic()
            say("closed")
        finally:
            self._is_over = True
            asking.cancel()

    async def _in_flight(self) -> None:
        for _ in range(self._load.in_flight):
            self._begin(time.monotonic())

    async def _at_a_rate(self) -> None:
        begun = time.monotonic()
        for at in arrivals(self._load.rate, _SEED):
            if (now := time.monotonic()) < begun + at:
                await asyncio.sleep(begun + at - now)
            self._begin(begun + at)

    def _begin(self, due: float) -> None:
        self._caller.begin(_Admission(self, due))

    @property
    def _is_open(self) -> bool:
        return self._opened <= time.monotonic() < self._closed

    def note_ticket(self, due: float) -> None:
        """Keeps how long a ticket took."""
        if self._is_open:
            self.ticket_waits_seconds.append(time.monotonic() - due)

    def note_end(self, due: float, failure: str) -> None:
        """Keeps how an admission ended, and how long it took to become durable."""
        if self._is_open:
            if failure:
                self.failures[failure] += 1
            else:
                self.durable += 1
                self.waits_seconds.append(time.monotonic() - due)
        if not self._load.rate and not self._is_over:
            self._begin(time.monotonic())


@dataclass(frozen=True, slots=True)
class _Admission:
    """One admission, and when it was due."""

    asking: Asking
    due: float

    def admitted(self) -> None:
        """Tells its ticket."""
        self.asking.note_ticket(self.due)

    def ended(self, failure: str) -> None:
        """Tells its end."""
        self.asking.note_end(self.due, failure)


async def obey(order: dict[str, Any]) -> None:
    """Runs what one order says, on a connection of its own."""
    load = AdmissionLoad(**order["load"])
    request = router_pb2.AdmitRequest(
        api_key=order["api_key"],
        model=order["model"],
        prompt_tokens_upper_bound=_PROMPT_TOKENS,
        max_output_tokens=_OUTPUT_TOKENS,
    )
    async with grpc.aio.insecure_channel(order["router"]) as channel:
        caller: Caller = (JoinedCaller if load.way == JOINED else UnaryCaller)(channel, request)
        asking = Asking(caller, load)
        try:
            await asking.run()
        finally:
            await caller.close()
    say(
        "done",
        durable=asking.durable,
        ticket_waits_seconds=sorted(asking.ticket_waits_seconds),
        waits_seconds=sorted(asking.waits_seconds),
        failures=dict(asking.failures),
    )


async def main() -> None:
    """Obeys until the benchmark ends."""
    say("ready")
    async for order in orders():
        await obey(order)


def order_of(load: AdmissionLoad, router: str, api_key: str, model: str) -> dict[str, Any]:
    """Returns the order to run a load."""
    return {"load": asdict(load), "router": router, "api_key": api_key, "model": model}


if __name__ == "__main__":
    uvloop.run(main())
