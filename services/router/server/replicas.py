"""ReplicaService: a replica is registered for as long as its stream lives."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from comptoir.router.v1 import replica_pb2, replica_pb2_grpc

from services.kernel.catalog import Model
from services.kernel.clock import Clock
from services.kernel.errors import ComptoirError, Reason
from services.kernel.identity import Identity
from services.router.domain.clock_offset import ClockOffset
from services.router.domain.lease import Process
from services.router.domain.leases import Leases
from services.router.domain.placement.filters import is_clock_right
from services.router.domain.ports import ReplicaDirectory
from services.router.domain.quota import Payer
from services.router.domain.registering import Membership
from services.router.wire import replica as wire
from services.runtime.grpc.callers import names_of
from services.runtime.grpc.interceptors import Context
from services.runtime.logs import get_logger

_log = get_logger(__name__)

# A replica that never asks for an answer gets one all the same.
_MOST_UNANSWERED: Final = 1000
# Reports of one replica that are kept for a lease store that is away. A replica says every few seconds again
# what is not confirmed, so those that are dropped come back.
_MOST_UNTOLD: Final = 32


@dataclass(slots=True)
class _Stream:
    session: Identity
    process: Process
    model: Model
    clock: ClockOffset = field(default_factory=ClockOffset)
    is_clock_right: bool = True
    # What it was not told yet of its leases.
    answer: replica_pb2.ReportResponse = field(default_factory=replica_pb2.ReportResponse)
    # What it said of leases that the lease store did not hear yet.
    untold: deque[replica_pb2.ReportRequest] = field(default_factory=lambda: deque(maxlen=_MOST_UNTOLD))


class ReplicaServer(replica_pb2_grpc.ReplicaServiceServicer):
    """Keeps the directory of replicas, and the leases of what they accepted and ended."""

    def __init__(
        self,
        replicas: ReplicaDirectory,
        leases: Leases,
        membership: Membership,
        clock: Clock,
        stopping: asyncio.Event,
    ) -> None:
        self._replicas = replicas
        self._leases = leases
        self._membership = membership
        self._clock = clock
        self._stopping = stopping
        self._warned_routers = 0

    async def Report(  # type: ignore[override] # noqa: N802 - the schema's name
        self, request_iterator: AsyncIterator[replica_pb2.ReportRequest], context: Context
    ) -> None:
        """Registers, keeps the load, accepts and settles, until the stream or the router ends."""
        serving = asyncio.create_task(self._serve(request_iterator, context))
        stopped = asyncio.create_task(self._stopping.wait())
        try:
            await asyncio.wait((serving, stopped), return_when=asyncio.FIRST_COMPLETED)
            if not serving.done():
                # The replica comes back, to a router that serves.
                raise ComptoirError(Reason.UNAVAILABLE, retry_after_seconds=1.0)
            serving.result()
        finally:
            serving.cancel()
            stopped.cancel()
            await asyncio.wait((serving, stopped))

    async def _serve(self, requests: AsyncIterator[replica_pb2.ReportRequest], context: Context) -> None:
        stream: _Stream | None = None
        try:
            async for request in requests:
                if stream is None:
                    stream = self._register(request, names_of(context))
                    await self._lose(stream.process)
                self._hear(stream, request)
                await self._take(stream, request)
                if self._is_due(stream, request):
                    answer, stream.answer = stream.answer, replica_pb2.ReportResponse()
                    answer.router_number = self._membership.limits.lender
                    await context.write(answer)
        finally:
            if stream is not None:
                self._replicas.leave(stream.session, self._clock.monotonic_seconds())
                self._leases.replica_left()

    def _is_due(self, stream: _Stream, request: replica_pb2.ReportRequest) -> bool:
        wish = self._replicas.drain_wish(stream.session)
        if wish is not None:
            stream.answer.is_drain_wanted = wish
        called_back = self._leases.called_back.take(stream.process)
        wire.call_back(stream.answer, called_back)
        is_news = wish is not None or bool(called_back)
        return is_news or not request.may_answer_later or _is_long(stream.answer)

    def _register(self, request: replica_pb2.ReportRequest, names: tuple[str, ...] | None) -> _Stream:
        if not request.HasField("registration"):
            raise ComptoirError(Reason.REQUEST_INVALID, field="registration")
        registration = wire.registration(request.registration)
        try:
            model = self._membership.check(registration, names)
            session = self._replicas.register(registration, self._clock.monotonic_seconds())
        except ComptoirError as refusal:
            # No replica mends this by itself, so operators read it in the log.
            reason, field = refusal.reason.name, refusal.field
            _log.error("registration_refused", replica=registration.replica, reason=reason, kind=field)
            raise
        _log.info("replica_registered", replica=registration.replica, model_number=registration.model)
        if registration.routers > 1 and self._membership.limits.has_own_quotas:
            # Once for each number: all replicas say it, at every new stream.
            self._warn_of_own_quotas(registration.routers)
        return _Stream(session, registration.process, model)

    def _warn_of_own_quotas(self, routers: int) -> None:
        if routers != self._warned_routers:
            self._warned_routers = routers
            _log.warning("each_router_has_its_own_quotas", count=routers)

    async def _lose(self, process: Process) -> None:
        try:
            lost = await self._leases.lose_gone()
        except ComptoirError as error:
            if error.reason is not Reason.QUOTA_UNAVAILABLE:
                raise
            # The replica is taken in all the same; what is gone is given up once the store is back.
            return
        if lost:
            _log.warning("leases_lost", replica=process.replica, count=lost)

    def _hear(self, stream: _Stream, request: replica_pb2.ReportRequest) -> None:
        stream.clock.hear(
            sent_at_microseconds=request.sent_at_microseconds,
            heard_at_microseconds=self._clock.wall_microseconds(),
        )
        load = wire.load(request.load) if request.HasField("load") else None
        now_seconds, offset_seconds = self._clock.monotonic_seconds(), stream.clock.seconds
        if not self._replicas.report(stream.session, load, now_seconds, clock_offset_seconds=offset_seconds):
            _log.warning("replica_replaced", replica=stream.process.replica)
            # Once it has registered anew, it says all again that it has to say of leases.
            raise ComptoirError(Reason.UNAVAILABLE, retry_after_seconds=1.0)
        is_right = is_clock_right(offset_seconds, self._membership.limits)
        if is_right != stream.is_clock_right:
            stream.is_clock_right = is_right
            told = _log.info if is_right else _log.error
            event = "replica_clock_right" if is_right else "replica_clock_wrong"
            told(event, replica=stream.process.replica, offset_seconds=round(offset_seconds or 0.0, 1))

    async def _take(self, stream: _Stream, request: replica_pb2.ReportRequest) -> None:
        # The replica keeps what is not confirmed; with its next report the store is asked again.
        unheard = await self._tell(stream, request)
        if unheard is not None:
            stream.untold.append(unheard)
        while unheard is None and stream.untold:
            unheard = await self._tell(stream, stream.untold.popleft())
            if unheard is not None:
                stream.untold.appendleft(unheard)
        self._leases.replicas_changed()

    async def _tell(
        self, stream: _Stream, request: replica_pb2.ReportRequest
    ) -> replica_pb2.ReportRequest | None:
        """Confirms what the store hears of leases, and returns what it does not.

        While it is away, some may be known to this router.
        """
        process, model = stream.process, stream.model
        told: list[Coroutine[Any, Any, None]] = []
        for message in request.acceptances:
            lease_id = Identity(message.lease_id_high, message.lease_id_low)
            ticket_id = Identity(message.ticket_id_high, message.ticket_id_low)
            payer, permitted = Payer(message.tenant, message.key), wire.permitted(message, model)
            told.append(self._leases.accept(process, lease_id, ticket_id, payer=payer, permitted=permitted))
        told.extend(self._leases.settle(wire.settlement(one, process, model)) for one in request.settlements)
        heard, unheard = wire.parted(request, await _together(told))
        wire.confirm(stream.answer, heard)
        return unheard


async def _together(told: Sequence[Coroutine[Any, Any, None]]) -> Sequence[bool]:
    """Returns which were heard of all; they begin in their order, so a shared store has one round trip."""
    if len(told) == 1:
        return [await _is_heard(told[0])]
    outcomes = await asyncio.gather(*map(_is_heard, told), return_exceptions=True)
    for outcome in outcomes:
        if isinstance(outcome, BaseException):
            raise outcome
    return [outcome is True for outcome in outcomes]


async def _is_heard(telling: Coroutine[Any, Any, None]) -> bool:
    try:
        await telling
    except ComptoirError as error:
        if error.reason is not Reason.QUOTA_UNAVAILABLE:
            raise
        return False
    return True


def _is_long(answer: replica_pb2.ReportResponse) -> bool:
    return len(answer.closed) + len(answer.accepted) >= _MOST_UNANSWERED
