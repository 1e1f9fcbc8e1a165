"""Every call of AdminService is an event: who, what, of which number, and what became of it.

It stands around the service and not in its methods, so that no method can leave it out.
"""

import asyncio
from dataclasses import replace
from typing import Any, Final

from google.protobuf.descriptor import ServiceDescriptor

from services.kernel.clock import Clock
from services.kernel.errors import ComptoirError, Reason
from services.kernel.identity import Identity
from services.router.domain.acts import ActEvent, ActLog, Caller, Deed, Stage
from services.router.wire.acts import caller_of, deed_of, subject_number
from services.runtime.counted_events import CountedEvents
from services.runtime.logs import get_logger

_log = get_logger(__name__)

_MICROSECONDS: Final = 1_000_000


class Audit:
    """The witness of AdminService: a change is recorded before it is done, and what is shown before it is.

    What cannot be recorded is refused. A list of replicas, which is about nobody, waits for no record.
    """

    def __init__(
        self, service: ServiceDescriptor, log: ActLog, clock: Clock, *, region: int, digest: int, owner: int
    ) -> None:
        self._deeds = {
            f"{service.full_name}/{method.name}": deed_of(method.name) for method in service.methods
        }
        self._clock = clock
        self._region = region
        self._digest = digest
        self._owner = owner
        self._refused = CountedEvents(self._record_refused)
        self.log = log

    def call(self, method: str, names: tuple[str, ...] | None) -> "AuditedCall":
        """Returns what records one call."""
        return AuditedCall(self, self._deeds[method], caller_of(names, owner=self._owner))

    def now(self) -> tuple[int, float]:
        """Returns the wall clock in microseconds and the monotonic one in seconds."""
        return self._clock.wall_microseconds(), self._clock.monotonic_seconds()

    def event(self, call: "AuditedCall", stage: Stage, reason: Reason) -> ActEvent:
        """Returns the event of a call that came so far."""
        wall_microseconds, now_seconds = self.now()
        return ActEvent(
            event_id=Identity.dated(wall_microseconds),
            act_id=call.act_id,
            region=self._region,
            config_digest=self._digest,
            started_at_microseconds=call.started_at_microseconds,
            duration_microseconds=round((now_seconds - call.started_seconds) * _MICROSECONDS),
            deed=call.deed,
            stage=stage,
            reason=reason,
            caller=call.caller,
            subject_number=call.subject_number,
        )

    def refuse(self, event: ActEvent) -> None:
        """Takes a call that was refused before anything was asked; those that are alike become one event."""
        self._refused.add((event.deed.act, event.reason, event.caller, event.subject_number), event)

    def flush(self) -> None:
        """Hands over what waits to be counted."""
        self._refused.flush()

    def _record_refused(self, event: ActEvent, count: int) -> None:
        self.log.record_act_later(replace(event, requests=count))


class AuditedCall:
    """One call of AdminService."""

    def __init__(self, audit: Audit, deed: Deed, caller: Caller) -> None:
        self._audit = audit
        self.deed = deed
        self.caller = caller
        self.act_id = Identity.random()
        self.started_at_microseconds, self.started_seconds = audit.now()
        self.subject_number = 0
        self._is_asked = False
        self._is_done = False

    async def ask(self, request: Any) -> None:
        """Records a change that is about to be made; USAGE_NOT_RECORDED where it must not be."""
        self.subject_number = subject_number(self.deed, request)
        if self.deed.changes:
            await self._audit.log.record_act(self._event(Stage.ASKED))
            self._is_asked = True

    async def answer(self, answer: Any) -> None:
        """Records what was done; USAGE_NOT_RECORDED where it is about somebody and must not be shown."""
        self.subject_number = subject_number(self.deed, answer) or self.subject_number
        done = self._event(Stage.DONE)
        if self.deed.changes:
            self._is_done = True
            try:
                await self._audit.log.record_act(done)
            except ComptoirError as error:
                # It is done, and that it was asked is recorded.
                _log.error("act_outcome_not_recorded", reason=error.reason.name)
        elif self.deed.shows_somebody:
            await self._audit.log.record_act(done)
        else:
            self._audit.log.record_act_later(done)

    def fail(self, error: BaseException) -> None:
        """Records why there is no answer."""
        if self._is_done:
            # Its caller went away while that was being recorded.
            return
        if self._is_asked and isinstance(error, asyncio.CancelledError):
            # The store goes on without its caller, and nobody here learns whether it is done.
            _log.warning("act_outcome_not_known")
            return
        refused = self._event(Stage.REFUSED, _reason_of(error))
        if self._is_asked:
            self._audit.log.record_act_later(refused)
        else:
            self._audit.refuse(refused)

    def _event(self, stage: Stage, reason: Reason = Reason.UNSPECIFIED) -> ActEvent:
        return self._audit.event(self, stage, reason)


def _reason_of(error: BaseException) -> Reason:
    if isinstance(error, ComptoirError):
        return error.reason
    return Reason.CLIENT_CANCELLED if isinstance(error, asyncio.CancelledError) else Reason.INTERNAL
