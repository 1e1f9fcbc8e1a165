"""What a ticket says, and whether this replica may act on it: checked offline, accepted once."""

from collections import deque
from dataclasses import dataclass
from typing import Final

from services.contract.ticket import TICKET_MAX_LIFETIME_SECONDS, TICKET_MAX_SKEW_SECONDS, TicketClaims
from services.generator.domain.abroad import Abroad
from services.kernel.errors import ComptoirError, Reason
from services.kernel.identity import Identity

MAX_LIFETIME_MICROSECONDS: Final = TICKET_MAX_LIFETIME_SECONDS * 1_000_000
# A ticket may look this much younger than it is.
MAX_SKEW_MICROSECONDS: Final = TICKET_MAX_SKEW_SECONDS * 1_000_000


@dataclass(frozen=True, slots=True)
class Claims(TicketClaims):
    """The router's signed statements; `digest` is that of the signed bytes."""

    digest: int


@dataclass(frozen=True, slots=True)
class Replica:
    """Catalog numbers of the replica, its region and its model; the class of its accelerators, or 0.

    A `tenant` other than 0 is the only one that it serves.
    """

    number: int
    region: int
    model: int
    gpu_class: int = 0
    gpus: int = 0
    tenant: int = 0
    # Efforts of reasoning that bound it, by their names.
    bounded_efforts: frozenset[str] = frozenset()


class TicketGate:
    """Accepts each ticket at most once.

    Used tickets are remembered until they expire, and so are leases of which none is to be accepted any
    more. What an earlier process of this replica remembered is lost, so tickets older than this process
    are refused.
    """

    def __init__(
        self, replica: Replica, *, started_at_microseconds: int, abroad: Abroad | None = None
    ) -> None:
        """Within the European Union `abroad` is None."""
        self._replica = replica
        self._abroad = abroad
        self._started_at_microseconds = started_at_microseconds
        self._used: set[Identity] = set()
        # By lease: whether a ticket of it was used, or it was called back before that.
        self._was_used: dict[Identity, bool] = {}
        self._by_expiry: deque[tuple[int, Identity, Identity]] = deque()

    def check(self, claims: Claims, now_microseconds: int) -> None:
        """Raises the reason for which this replica may not act on `claims` now; uses nothing up."""
        self._check_place(claims, now_microseconds)
        if not (claims.max_output_tokens and claims.lease_id.is_set):
            raise ComptoirError(Reason.TICKET_INVALID)

    def check_embedding(self, claims: Claims, now_microseconds: int) -> None:
        """As `check`, of a ticket that permits to embed and nothing else: a lease, and no output."""
        self._check_place(claims, now_microseconds)
        if claims.max_output_tokens or not claims.lease_id.is_set:
            raise ComptoirError(Reason.TICKET_INVALID)

    def check_count(self, claims: Claims, now_microseconds: int) -> None:
        """As `check`, of a ticket that permits to count and nothing else: no output, and no lease."""
        self._check_place(claims, now_microseconds)
        if claims.max_output_tokens or claims.lease_id.is_set:
            raise ComptoirError(Reason.TICKET_INVALID)

    def _check_place(self, claims: Claims, now_microseconds: int) -> None:
        self._check_time(claims, now_microseconds)
        served = (self._replica.number, self._replica.region, self._replica.model)
        if (claims.replica, claims.region, claims.model) != served:
            raise ComptoirError(Reason.TICKET_WRONG_REPLICA)
        if self._replica.tenant not in (0, claims.tenant):
            raise ComptoirError(Reason.TICKET_WRONG_REPLICA)
        self._check_transfer(claims)
        if not (claims.tenant and claims.key and claims.max_input_tokens):
            raise ComptoirError(Reason.TICKET_INVALID)
        if not (claims.ticket_id.is_set and claims.request_id.is_set):
            raise ComptoirError(Reason.TICKET_INVALID)
        is_called_back = not self._was_used.get(claims.lease_id, True)
        if claims.ticket_id in self._used or is_called_back:
            raise ComptoirError(Reason.TICKET_ALREADY_USED)

    def _check_transfer(self, claims: Claims) -> None:
        if self._abroad is None:
            # Its rows would say that something was transferred.
            if claims.transfer_record:
                raise ComptoirError(Reason.TICKET_INVALID)
        elif not self._abroad.permits(claims.transfer_record, claims.home_region):
            raise ComptoirError(Reason.REGION_NOT_ALLOWED)

    def use(self, claims: Claims, now_microseconds: int) -> None:
        """Marks a checked ticket as used."""
        self._used.add(claims.ticket_id)
        self._remember(claims.ticket_id, claims.lease_id, now_microseconds, was_used=True)

    def call_back(self, lease_id: Identity, now_microseconds: int) -> bool:
        """Has the tickets of a lease refused from now on; False where one was used here."""
        if not lease_id.is_set:
            # Tickets that count have none.
            return False
        if not self._was_used.get(lease_id, False):
            self._remember(lease_id, lease_id, now_microseconds, was_used=False)
        return not self._was_used[lease_id]

    def _remember(
        self, identity: Identity, lease_id: Identity, now_microseconds: int, *, was_used: bool
    ) -> None:
        self._forget_expired(now_microseconds)
        self._was_used[lease_id] = was_used
        # Every ticket is forgotten at the same distance from its use, so the queue stays in order.
        forget_at_microseconds = now_microseconds + MAX_LIFETIME_MICROSECONDS + MAX_SKEW_MICROSECONDS
        self._by_expiry.append((forget_at_microseconds, identity, lease_id))

    def _check_time(self, claims: Claims, now_microseconds: int) -> None:
        # A clock that was set back to before the start was wrong at the start: we started before now.
        self._started_at_microseconds = min(self._started_at_microseconds, now_microseconds)
        lifetime = claims.expires_at_microseconds - claims.issued_at_microseconds
        if not 0 < lifetime <= MAX_LIFETIME_MICROSECONDS:
            raise ComptoirError(Reason.TICKET_INVALID)
        if claims.issued_at_microseconds > now_microseconds + MAX_SKEW_MICROSECONDS:
            raise ComptoirError(Reason.TICKET_INVALID)
        if claims.expires_at_microseconds <= now_microseconds:
            raise ComptoirError(Reason.TICKET_EXPIRED)
        if claims.issued_at_microseconds < self._started_at_microseconds:
            raise ComptoirError(Reason.TICKET_EXPIRED)

    def _forget_expired(self, now_microseconds: int) -> None:
        while self._by_expiry and self._by_expiry[0][0] <= now_microseconds:
            _, identity, lease_id = self._by_expiry.popleft()
            self._used.discard(identity)
            self._was_used.pop(lease_id, None)
