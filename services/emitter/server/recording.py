"""EmitterService over a spool."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from typing import Final

from comptoir.emitter.v1 import emitter_pb2, emitter_pb2_grpc

from services.contract.pseudonym import Pseudonyms
from services.emitter import wire
from services.emitter.domain.agreement import Agreement, Source
from services.emitter.domain.event_rules import EventRules, NotTakenNowError
from services.emitter.domain.ports import Event, Spool, Taken
from services.emitter.server.joined import JoinedRecords
from services.kernel.clock import Clock
from services.kernel.errors import ComptoirError
from services.runtime.grpc.interceptors import Context
from services.runtime.grpc.joined.answers import JoinedStreams
from services.runtime.logs import get_logger
from services.runtime.metrics.registry import emitter as metrics
from services.runtime.telemetry import counter

_log = get_logger(__name__)

OnHealth = Callable[[bool], None]
Sleep = Callable[[float], Awaitable[None]]

# A balancer sends no calls to who is not well, so after so long without any the next ones are given a chance.
QUIET_SECONDS: Final = 30.0
_REVIEW_SECONDS: Final = 5.0


class EmitterServicer(emitter_pb2_grpc.EmitterServiceServicer):
    """Answers once the events are durable; refusals leave as ComptoirError.

    `on_health` is told when the emitter's own clock, schema or region turns out to be the one that nobody
    agrees with, or its spool takes no events, and when that is over.
    """

    def __init__(
        self,
        spool: Spool,
        pseudonyms: Pseudonyms,
        rules: EventRules,
        clock: Clock,
        *,
        streams: JoinedStreams,
        on_health: OnHealth,
    ) -> None:
        self._streams = streams
        self._spool = spool
        self._pseudonyms = pseudonyms
        self._rules = rules
        self._clock = clock
        self._on_health = on_health
        self._agreement = Agreement()
        self._is_agreed = self._is_keeping = True
        self._heard_at_seconds = clock.monotonic_seconds()
        self._accepted = counter(metrics.ACCEPTED)
        self._duplicates = counter(metrics.DUPLICATES)
        self._refused = counter(metrics.REFUSED)

    async def Record(  # noqa: N802 - the name in the schema
        self, request: emitter_pb2.RecordRequest, context: Context
    ) -> emitter_pb2.RecordResponse:
        """Takes the request's events, all or none."""
        del context
        return wire.response_of(await self._record(request))

    async def RecordMany(  # type: ignore[override] # noqa: N802 - the name in the schema
        self, requests: AsyncIterator[emitter_pb2.RecordManyRequest], context: Context
    ) -> None:
        """Takes the events of many batches, each all or none."""
        stream = JoinedRecords(self._streams, self._record)
        await stream.answers.serve(requests, stream.receive, context.write)

    def _record(self, request: emitter_pb2.RecordRequest) -> "asyncio.Future[Taken]":
        """Begins to take a request's events; raises what refuses them before they reach the spool."""
        self._heard_at_seconds = self._clock.monotonic_seconds()
        try:
            taking = self._spool.take(self._acceptable(request))
        except ComptoirError as refusal:
            self._count(refusal)
            raise
        taken = asyncio.ensure_future(taking)
        taken.add_done_callback(self._note)
        return taken

    def _note(self, taken: "asyncio.Future[Taken]") -> None:
        """Counts what became of a request in the spool, and tells whether that takes events."""
        if taken.cancelled():
            return
        failure = taken.exception()
        if failure is None:
            self._accepted.add(taken.result().accepted)
            self._duplicates.add(taken.result().duplicates)
            self._tell_health(is_keeping=True)
        elif isinstance(failure, ComptoirError):
            self._count(failure)
            self._tell_health(is_keeping=False)

    async def run_reviews(self, sleep: Sleep = asyncio.sleep) -> None:
        """Calls off a fault that no call has met for long, until it is cancelled."""
        while True:
            await sleep(_REVIEW_SECONDS)
            if self._clock.monotonic_seconds() - self._heard_at_seconds >= QUIET_SECONDS:
                self._agreement.forget()
                self._tell_health(is_keeping=True)

    def _acceptable(self, request: emitter_pb2.RecordRequest) -> Sequence[Event]:
        now = self._clock.wall_microseconds()
        try:
            events = wire.events_from(request, self._pseudonyms, self._rules, now_microseconds=now)
        except NotTakenNowError as refusal:
            self._disagree(wire.sources_at_fault(request, refusal), refusal)
            raise
        self._agree(wire.sources_of(request))
        return events

    def _agree(self, sources: Collection[Source]) -> None:
        for source in self._agreement.accepted(sources, self._clock.monotonic_seconds()):
            _log.info("producer_agrees_again", kind=source.kind.name, replica=source.replica)
        self._tell_health()

    def _disagree(self, sources: Collection[Source], refusal: NotTakenNowError) -> None:
        """Says it once per producer, until an event of it is acceptable."""
        for source in self._agreement.refused(sources, self._clock.monotonic_seconds()):
            _log.error(
                "producer_disagrees",
                kind=source.kind.name,
                replica=source.replica,
                reason=refusal.field,
                offset_seconds=round(refusal.offset_seconds),
            )
        self._tell_health()

    def _tell_health(self, *, is_keeping: bool | None = None) -> None:
        """Tells what changed: whether producers agree with the emitter, whether its spool takes events."""
        before = (self._is_agreed, self._is_keeping)
        self._is_agreed = self._agreement.is_well
        self._is_keeping = self._is_keeping if is_keeping is None else is_keeping
        if self._is_agreed != before[0]:
            log = _log.info if self._is_agreed else _log.error
            log("own_clock_or_version_agrees_again" if self._is_agreed else "own_clock_or_version_is_wrong")
        if self._is_keeping != before[1]:
            log = _log.info if self._is_keeping else _log.error
            log("spool_takes_events_again" if self._is_keeping else "spool_takes_no_events")
        if (is_well := self._is_agreed and self._is_keeping) != all(before):
            self._on_health(is_well)

    def _count(self, refusal: ComptoirError) -> None:
        """Counts a refusal by reason and field; one that is final loses an event, so it is a line too."""
        self._refused.add(1, {"reason": refusal.reason.name, "field": refusal.field})
        if not refusal.reason.row.is_retryable:
            _log.error("events_refused_for_good", reason=refusal.reason.name, field=refusal.field)
