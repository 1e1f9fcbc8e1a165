"""Quota leases: reserved for a request, then settled, released, cancelled or expired, the first wins."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

from services.router.domain.bucket import Bucket
from services.router.domain.tenancy import Quota
from services.runtime.errors import ComptoirError, Numbers, Reason
from services.runtime.identity import Identity
from services.runtime.quota import QuotaState

MAX_RELEASED: Final = 65_536
_CONCURRENCY_RETRY_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class Reservation:
    """What one request may use at most, until it is settled or the reservation expires."""

    lease_id: Identity
    key: int
    quota: Quota
    tokens: int
    expires_at_seconds: float


class Settled(Enum):
    """What a settlement found."""

    OPEN = "open"
    RELEASED = "released"
    LOST = "lost"
    UNKNOWN = "unknown"


@dataclass(slots=True)
class _Account:
    requests: Bucket
    tokens: Bucket
    in_flight: int = 0

    def refill(self, quota: Quota, now_seconds: float) -> None:
        self.requests.refill(quota.requests_per_minute, now_seconds)
        self.tokens.refill(quota.tokens_per_minute, now_seconds)

    def is_idle(self, now_seconds: float) -> bool:
        self.requests.refill(self.requests.per_minute, now_seconds)
        self.tokens.refill(self.tokens.per_minute, now_seconds)
        return self.in_flight == 0 and self.requests.is_full and self.tokens.is_full

    def state(self) -> QuotaState:
        return QuotaState(
            limit_requests=self.requests.per_minute,
            remaining_requests=self.requests.remaining,
            limit_tokens=self.tokens.per_minute,
            remaining_tokens=self.tokens.remaining,
            reset_requests_seconds=self.requests.seconds_until_full(),
            reset_tokens_seconds=self.tokens.seconds_until_full(),
        )

    def refusal(self, reason: Reason, reservation: Reservation, wait_seconds: float) -> ComptoirError:
        numbers = {
            Reason.REQUESTS_EXHAUSTED: Numbers(self.requests.per_minute, 1, self.requests.remaining),
            Reason.TOKENS_EXHAUSTED: Numbers(
                self.tokens.per_minute, reservation.tokens, self.tokens.remaining
            ),
            Reason.CONCURRENCY_EXHAUSTED: Numbers(reservation.quota.concurrency, 1),
        }
        return ComptoirError(
            reason, retry_after_seconds=wait_seconds, numbers=numbers[reason], quota=self.state()
        )


class QuotaBook:
    """The quota of every key and every lease on it; never lends more than a quota holds."""

    def __init__(self) -> None:
        self._accounts: dict[int, _Account] = {}
        self._open: dict[Identity, Reservation] = {}
        self._released: dict[Identity, Reservation] = {}
        self._lost: dict[Identity, Reservation] = {}

    @property
    def in_flight(self) -> int:
        """Return how many leases are open."""
        return len(self._open)

    def reserve(self, reservation: Reservation, now_seconds: float) -> QuotaState:
        """Lend all that the reservation asks for, or nothing and raise which part of the quota is spent."""
        account = self._account(reservation.key, reservation.quota, now_seconds)
        if not account.requests.has(1):
            wait_seconds = account.requests.seconds_until(1)
            raise account.refusal(Reason.REQUESTS_EXHAUSTED, reservation, wait_seconds)
        if not account.tokens.has(reservation.tokens):
            wait_seconds = account.tokens.seconds_until(reservation.tokens)
            raise account.refusal(Reason.TOKENS_EXHAUSTED, reservation, wait_seconds)
        if 0 < reservation.quota.concurrency <= account.in_flight:
            raise account.refusal(Reason.CONCURRENCY_EXHAUSTED, reservation, _CONCURRENCY_RETRY_SECONDS)
        account.requests.take(1)
        account.tokens.take(reservation.tokens)
        account.in_flight += 1
        self._open[reservation.lease_id] = reservation
        return account.state()

    def settle(self, lease_id: Identity, used_tokens: int, now_seconds: float) -> Settled:
        """Replace the lease by what was used; a lease that was released before is charged all the same."""
        lease = self._close(lease_id)
        if lease is not None:
            self._account(lease.key, lease.quota, now_seconds).tokens.give(lease.tokens - used_tokens)
            return Settled.OPEN
        lease = self._lost.pop(lease_id, None)
        if lease is not None:
            self._account(lease.key, lease.quota, now_seconds).tokens.give(lease.tokens - used_tokens)
            return Settled.LOST
        lease = self._released.pop(lease_id, None)
        if lease is not None:
            self._account(lease.key, lease.quota, now_seconds).tokens.take(used_tokens)
            return Settled.RELEASED
        return Settled.UNKNOWN

    def release(self, lease_id: Identity, now_seconds: float) -> bool:
        """Give the tokens of an unused lease back; its request stays counted. False if it was closed."""
        lost = self._lost.pop(lease_id, None)
        lease = lost or self._close(lease_id)
        if lease is None:
            return False
        self._account(lease.key, lease.quota, now_seconds).tokens.give(lease.tokens)
        # Remembered, so that a holder who releases and uses a ticket nevertheless is still charged.
        self._released[lease_id] = lease
        if len(self._released) > MAX_RELEASED:
            del self._released[next(iter(self._released))]
        return lost is None

    def cancel(self, lease_id: Identity, now_seconds: float) -> bool:
        """Undo a lease of which no ticket left the router, its request included. False if it was closed."""
        lost = self._lost.pop(lease_id, None)
        lease = lost or self._close(lease_id)
        if lease is None:
            return False
        account = self._account(lease.key, lease.quota, now_seconds)
        account.requests.give(1)
        account.tokens.give(lease.tokens)
        return lost is None

    def lose(self, lease_ids: Sequence[Identity]) -> int:
        """Free the concurrency of open leases, with their tokens charged, and return how many were open."""
        lost = {lease_id: lease for lease_id in lease_ids if (lease := self._close(lease_id)) is not None}
        # Remembered: another replica may serve the request with the next ticket of the same lease.
        self._lost.update(lost)
        return len(lost)

    def expire(self, now_seconds: float) -> list[Identity]:
        """Close the leases that nobody settled in time, with their tokens charged, and return which."""
        expired = [lease_id for lease_id, lease in self._open.items() if _is_over(lease, now_seconds)]
        for lease_id in expired:
            self._close(lease_id)
        for closed in (self._released, self._lost):
            for lease_id in [one for one, lease in closed.items() if _is_over(lease, now_seconds)]:
                del closed[lease_id]
        for key in [key for key, account in self._accounts.items() if account.is_idle(now_seconds)]:
            del self._accounts[key]
        return expired

    def _account(self, key: int, quota: Quota, now_seconds: float) -> _Account:
        account = self._accounts.get(key)
        if account is None:
            account = self._accounts[key] = _Account(
                Bucket.full(quota.requests_per_minute, now_seconds),
                Bucket.full(quota.tokens_per_minute, now_seconds),
            )
        account.refill(quota, now_seconds)
        return account

    def _close(self, lease_id: Identity) -> Reservation | None:
        lease = self._open.pop(lease_id, None)
        if lease is not None:
            self._accounts[lease.key].in_flight -= 1
        return lease


def _is_over(lease: Reservation, now_seconds: float) -> bool:
    return lease.expires_at_seconds <= now_seconds
