"""What admission needs of the stores of quotas and leases, and of what counts them."""

from collections.abc import Sequence
from typing import Protocol

from services.kernel.identity import Identity
from services.kernel.quota import QuotaState, Spending
from services.router.domain.lease import (
    Acceptance,
    Accepted,
    Earlier,
    Freed,
    Issue,
    Issued,
    Process,
    RequestPart,
    Reservation,
    Settled,
    Settlement,
    Transition,
)
from services.router.domain.quota import Payer, Quotas


class LeaseStore(Protocol):
    """Quota and leases, atomic for all routers that share the store.

    The store owns time: every call takes effect at the moment of the store's own clock, since two routers
    do not share one. Every call raises QUOTA_UNAVAILABLE where the store cannot be reached; it may have
    been carried out then, which does no harm: what was reserved so ends with its time.
    """

    async def reserve(self, reservation: Reservation) -> QuotaState:
        """Lends all or nothing; raises which limit is spent, of the key or its tenant, with the longest wait.

        Where the reservation is made again it asks nothing, unless that was done for the lease before, of
        which no further ticket is signed then.
        """
        ...

    async def spending(self, tenant: int, key: int = 0) -> Spending:
        """Returns what a key used in the day and the month of now, or its tenant where no key is given."""
        ...

    async def earlier(self, payer: Payer, request: RequestPart) -> Earlier | None:
        """Returns the lease that a request, or a part of one, had, unless it goes on by another one already.

        None too where it was lent without asking MOST_ADMITTED_AGAIN times in a row.
        """
        ...

    async def spend_request(self, payer: Payer, quotas: Quotas) -> QuotaState:
        """Takes a request without tokens, place or lease; raises as `reserve` does."""
        ...

    async def issue(self, issue: Issue) -> bool:
        """Notes a ticket before it is signed; raises LEASE_ENDED unless it is the next of a lease.

        One that was accepted meanwhile reserves anew: true where it did. Where the issue has quotas and a
        ticket is held, it asks what is left and raises as `reserve` does; else the request was admitted.
        """
        ...

    async def issued(self, lease_id: Identity) -> Issued | None:
        """Returns what another ticket is drafted from; None where none of the lease is to be signed."""
        ...

    async def accept(self, acceptance: Acceptance) -> Accepted:
        """Binds a ticket to the process that accepted it; safe to repeat.

        The first ticket of a lease takes its reservation over. Any other is charged anew, and so is
        one of a lease that ended or is not known.
        """
        ...

    async def settle(self, settlement: Settlement) -> tuple[Settled, Freed | None]:
        """Replaces what a ticket holds by what was used; safe to repeat."""
        ...

    async def release(self, lease_id: Identity) -> tuple[bool, Freed | None]:
        """Gives an unused lease back once its tickets are dead; False if accepted, released or over.

        In any case no further ticket of it is signed.
        """
        ...

    async def cancel(self, lease_id: Identity) -> Freed | None:
        """Undoes a lease of which no ticket left the router."""
        ...

    async def lose(self, process: Process) -> Sequence[Freed]:
        """Frees the places of what a process accepted that is gone.

        Their tokens stay charged, until a settlement says better.
        """
        ...

    async def expire(self) -> Sequence[Freed]:
        """Frees what nobody accepted in time, with its tokens, and what nobody settled, without them."""
        ...

    async def close(self) -> None:
        """Closes connections, where there are any."""
        ...


class LeaseCounter(Protocol):
    """Counts what becomes of leases."""

    def count(self, transition: Transition) -> None:
        """Counts one transition."""
        ...
