"""What admission needs of the world: stores, replicas, a signer."""

from collections.abc import Mapping, Sequence
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
from services.router.domain.placement.expected_replicas import ExpectedReplicas
from services.router.domain.placement.kinds import NOTHING_REQUIRED, Requirement
from services.router.domain.placement.replica import Claims, Load, Registration, Replica
from services.router.domain.quota import Payer, Quotas
from services.router.domain.tenancy import Key, KeyChange, NewKey, Page, Quota, Tenant


class KeyFinder(Protocol):
    """Looks keys up, on the path of every request."""

    async def find(self, digest: bytes) -> Key | None:
        """Returns the key with that digest, now or before its last rotation, usable or not, or None."""
        ...


class KeyMemory(KeyFinder, Protocol):
    """Looks keys up, and remembers some of what it found."""

    def is_known(self, digest: bytes) -> bool:
        """Tells whether there was a key with that digest, as far as is remembered."""
        ...


class KeyStore(KeyFinder, Protocol):
    """Tenants and keys, durable; raises KEYS_UNAVAILABLE where the store cannot be reached.

    Every call that changes something but `note_uses` makes `change_number` grow. A call for a tenant or a key
    that does not exist raises NOT_FOUND. No number is ever given out twice.
    """

    async def change_number(self) -> int:
        """Returns a number that grows with every change of a tenant or a key, by any router."""
        ...

    async def digests(self, most: int) -> Sequence[bytes]:
        """Returns the digests by which keys are found, of the newest `most` keys."""
        ...

    async def create_tenant(
        self, name: str, home_region: int, now_seconds: int, quota: Quota = ...
    ) -> Tenant:
        """Stores a tenant; ALREADY_EXISTS if the name is taken."""
        ...

    async def tenant(self, name: str) -> Tenant:
        """Returns a tenant."""
        ...

    async def list_tenants(self, page: Page = ...) -> Sequence[Tenant]:
        """Returns tenants by number; all without a page."""
        ...

    async def limit_tenant(self, name: str, quota: Quota) -> Tenant:
        """Gives a tenant another quota."""
        ...

    async def disable_tenant(self, name: str, *, is_disabled: bool) -> Tenant:
        """Has the keys of a tenant refused, or taken again."""
        ...

    async def delete_tenant(self, name: str) -> Tenant:
        """Forgets a tenant; TENANT_HAS_KEYS while it has one."""
        ...

    async def create_key(self, new: NewKey) -> Key:
        """Stores a key; ALREADY_EXISTS if its digest is that of another."""
        ...

    async def key(self, number: int) -> Key:
        """Returns a key."""
        ...

    async def list_keys(self, tenant_name: str | None, page: Page = ...) -> Sequence[Key]:
        """Returns keys of a tenant, or of all, by number; all of them without a page."""
        ...

    async def change_key(self, number: int, change: KeyChange) -> Key:
        """Sets what a change says of a key."""
        ...

    async def rotate_key(
        self,
        number: int,
        digest: bytes,
        previous_until_seconds: int,
        *,
        not_taken_at_seconds: int | None = None,
    ) -> Key:
        """Gives a key another digest; the one that it had is found too, and what was before it no more.

        OVERLAP_NOT_OVER where that one is taken at a moment at which it must not be.
        """
        ...

    async def revoke_key(self, number: int, now_seconds: int) -> Key:
        """Marks a key as revoked, once."""
        ...

    async def delete_key(self, number: int) -> Key:
        """Forgets a key, and returns it as it was."""
        ...

    async def note_uses(self, uses: Mapping[int, int]) -> None:
        """Notes when keys were used last, by number; what is noted already never goes back."""
        ...


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
        """Gives an unused lease back once its tickets are dead; False if used or over. It has no further."""
        ...

    async def cancel(self, lease_id: Identity) -> Freed | None:
        """Undoes a lease of which no ticket left the router, later where the store is away."""
        ...

    async def lose(self, process: Process) -> Sequence[Freed]:
        """Frees the places of what a process accepted that is gone.

        Their tokens stay charged, until a settlement says better.
        """
        ...

    async def expire(self) -> Sequence[Freed]:
        """Frees what nobody accepted in time, with its tokens, and what nobody settled, without them."""
        ...

    def is_lent_here(self, lease_id: Identity, /) -> bool:
        """Tells whether this router alone knows the lease, and replicas settle it with no other."""
        ...

    async def close(self) -> None:
        """Closes connections, where there are any."""
        ...


class LeaseCounter(Protocol):
    """Counts what becomes of leases."""

    def count(self, transition: Transition) -> None:
        """Counts one transition."""
        ...


class ReplicaDirectory(Protocol):
    """The replicas that are registered now, and what this router knows to be on each."""

    @property
    def expected(self) -> ExpectedReplicas:
        """What is known of replicas beside those that are registered."""
        ...

    def register(self, registration: Registration, now_seconds: float) -> Identity:
        """Takes a replica in, in place of its earlier session or of a silent one; returns the session.

        Raises ALREADY_EXISTS if another process that lives has its number or its address.
        """
        ...

    def report(
        self,
        session: Identity,
        load: Load | None,
        now_seconds: float,
        *,
        clock_offset_seconds: float | None = None,
    ) -> bool:
        """Keeps the load; False if the session is over: it was replaced, or silent for too long."""
        ...

    def leave(self, session: Identity, now_seconds: float) -> None:
        """Forgets the replica, unless it was registered anew since; its process may come back."""
        ...

    def pool(self, model: int, region: int) -> Sequence[Replica]:
        """Returns the replicas that serve a model in a region, ready or not."""
        ...

    def expected_seconds(
        self, model: int, region: int, now_seconds: float, required: Requirement = NOTHING_REQUIRED
    ) -> float:
        """Returns for how much longer a replica that may serve a request is expected; 0 if none is."""
        ...

    def ended_requests(self, model: int, region: int, tenant: int = 0) -> int:
        """Returns how many requests have ended on a model's replicas, ever, that serve all or that tenant."""
        ...

    def everyone(self) -> Sequence[Replica]:
        """Returns all replicas that are registered, by number."""
        ...

    def want_drain(self, replica: int, *, is_wanted: bool) -> bool:
        """Notes that a replica's process is to be drained, or no longer; False if none has that number."""
        ...

    def drain_wish(self, session: Identity) -> bool | None:
        """Returns what a replica is to be told of its drain; None where it says the same, or nobody asked."""
        ...

    def assign(self, holder: Identity, replica: int) -> None:
        """Counts a request in flight on a replica: a ticket that it accepted."""
        ...

    def claim(self, holder: Identity, replica: int, claims: Claims, now_seconds: float) -> None:
        """Counts a request in flight on a replica that has not accepted it yet: a lease meant for it."""
        ...

    def judge(self, process: Process, now_seconds: float, *, has_failed: bool) -> None:
        """Notes that a process answered a request, or that its request has to be sent elsewhere."""
        ...

    def unassign(self, holder: Identity) -> None:
        """Ends that count; safe to repeat."""
        ...

    def drop_unclaimed(self, now_seconds: float) -> None:
        """Ends the counts whose time is over."""
        ...

    def gone(self, now_seconds: float) -> Sequence[Process]:
        """Returns, once each, the processes that were replaced, or did not come back, or fell silent."""
        ...
