"""What the router must know of leases: which tickets were accepted, and what their requests used."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from comptoir.router.v1 import replica_pb2

from services.generator.domain.ports import CallBack
from services.generator.domain.ticket import Claims
from services.generator.wire import reports
from services.kernel.identity import Identity

_MAX_PER_REPORT: Final = 1000
_RESEND_SECONDS: Final = 5.0

_Message = TypeVar("_Message", replica_pb2.Acceptance, replica_pb2.Settlement)


@dataclass(slots=True)
class Told(Generic[_Message]):
    """A message and when it was sent last; None means that it is to be sent now."""

    claims: Claims
    message: _Message
    queued_seconds: float
    sent_seconds: float | None = None
    is_confirmed: bool = False

    def is_due(self, now_seconds: float) -> bool:
        """Returns whether it is to be sent, or sent again."""
        if self.is_confirmed:
            return False
        return self.sent_seconds is None or now_seconds - self.sent_seconds > _RESEND_SECONDS


class LeaseReports:
    """Accepted tickets until they are settled, and settlements until the router has confirmed them.

    Known by their leases: a replica has at most one ticket of each. A settlement implies the
    acceptance. Settlements older than `lifetime_seconds` are dropped: their leases have expired.
    """

    def __init__(self, *, lifetime_seconds: float) -> None:
        self._lifetime_seconds = lifetime_seconds
        self._open: dict[Identity, Told[replica_pb2.Acceptance]] = {}
        self._ended: dict[Identity, Told[replica_pb2.Settlement]] = {}
        # Said once: where it is lost, the lease ends with its tickets.
        self._handed_back: list[replica_pb2.Settlement] = []
        self._all_closed = asyncio.Event()
        self._all_closed.set()

    @property
    def has_unconfirmed(self) -> bool:
        """Returns whether the router has not confirmed all yet."""
        return bool(self._ended) or any(not told.is_confirmed for told in self._open.values())

    @property
    def unsettled(self) -> list[Claims]:
        """Returns the tickets whose settlements the router has not confirmed."""
        return [told.claims for told in self._ended.values()]

    @property
    def unended(self) -> list[Claims]:
        """Returns the tickets that were accepted and are not settled."""
        return [told.claims for told in self._open.values()]

    def accept(self, claims: Claims, now_seconds: float) -> None:
        """Takes a ticket that was accepted."""
        self._open[claims.lease_id] = Told(claims, reports.acceptance_from(claims), now_seconds)

    def settle(self, claims: Claims, settlement: replica_pb2.Settlement, now_seconds: float) -> None:
        """Takes what an accepted ticket's request used, in place of the acceptance."""
        self._open.pop(claims.lease_id, None)
        # Here too, and not only in reports: a stream that hangs makes none.
        self._forget_expired(now_seconds)
        self._ended[claims.lease_id] = Told(claims, settlement, now_seconds)
        self._all_closed.clear()

    def withdraw(self, lease_id: Identity) -> None:
        """Drops the acceptance of a lease that is settled elsewhere."""
        self._open.pop(lease_id, None)

    def give(self, lease_id: Identity) -> Told[replica_pb2.Settlement]:
        """Hands a settlement over that is not confirmed, for another router to be told."""
        told = self._ended[lease_id]
        self._forget(lease_id)
        return told

    def take(self, told: Told[replica_pb2.Settlement]) -> None:
        """Takes a settlement that another router was told and did not confirm, as old as it is."""
        told.sent_seconds = None
        self._ended[told.claims.lease_id] = told
        self._all_closed.clear()

    def begin(self) -> None:
        """Makes everything due: another stream may lead to a router that knows nothing."""
        for acceptance in self._open.values():
            acceptance.is_confirmed = False
            acceptance.sent_seconds = None
        for settlement in self._ended.values():
            settlement.sent_seconds = None

    def due(self, now_seconds: float) -> tuple[list[replica_pb2.Acceptance], list[replica_pb2.Settlement]]:
        """Returns what the next report has to say, and takes it as sent."""
        self._forget_expired(now_seconds)
        accepted, ended = _take(self._open, now_seconds), _take(self._ended, now_seconds)
        room = _MAX_PER_REPORT - len(ended)
        handed_back, self._handed_back = self._handed_back[:room], self._handed_back[room:]
        return accepted, [*ended, *handed_back]

    def confirm(self, response: replica_pb2.ReportResponse, call_back: CallBack | None = None) -> bool:
        """Notes what the router has noted; true where there is something to say of what it calls back."""
        for lease in response.accepted:
            told = self._open.get(Identity(lease.high, lease.low))
            if told is not None:
                told.is_confirmed = True
        for lease in response.closed:
            self._forget(Identity(lease.high, lease.low))
        called_back = [Identity(lease.high, lease.low) for lease in response.called_back]
        freed = [lease_id for lease_id in called_back if call_back is not None and call_back(lease_id)]
        self._handed_back += map(reports.handed_back_from, freed)
        return bool(freed)

    async def settled(self, timeout_seconds: float) -> int:
        """Waits until the router has confirmed every settlement; returns how many it has not."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_seconds):
                await self._all_closed.wait()
        return len(self._ended)

    def _forget_expired(self, now_seconds: float) -> None:
        # The oldest stand first.
        while self._ended:
            lease, told = next(iter(self._ended.items()))
            if told.queued_seconds >= now_seconds - self._lifetime_seconds:
                return
            self._forget(lease)

    def _forget(self, lease: Identity) -> None:
        self._ended.pop(lease, None)
        if not self._ended:
            self._all_closed.set()


def _take(waiting: dict[Identity, Told[_Message]], now_seconds: float) -> list[_Message]:
    due = [told for told in waiting.values() if told.is_due(now_seconds)][:_MAX_PER_REPORT]
    for told in due:
        told.sent_seconds = now_seconds
    return [told.message for told in due]
