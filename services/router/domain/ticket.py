"""What a ticket permits, as the router drafts it before it is signed."""

from dataclasses import dataclass, replace
from typing import Final, NamedTuple, Protocol, Self

from services.contract.ticket import TICKET_MAX_LIFETIME_SECONDS, TicketClaims
from services.kernel.catalog import Model
from services.kernel.identity import Identity
from services.router.domain.placement.placing import Placement
from services.router.domain.sizing import Size
from services.router.domain.tenancy import Key

_MICROSECONDS: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Grant:
    """What admission granted: to whom, for which model, how much, under which lease."""

    request_id: Identity
    lease_id: Identity
    key: Key
    model: Model
    size: Size
    priority: int
    # Of several with one request identity, from 1; 0 where there is one.
    part: int = 0
    # By which a region outside the EU serves; 0 within.
    transfer_record: int = 0


@dataclass(frozen=True, slots=True)
class SignedTicket:
    """A ticket as it travels: the bytes that were signed, and their signature."""

    claims: bytes
    signature: bytes
    signing_key_number: int


@dataclass(frozen=True, slots=True)
class TicketOffer:
    """A signed ticket and the address of the replica that accepts it."""

    ticket: SignedTicket
    generator_address: str
    # By which its region serves the request; 0 within the EU.
    transfer_record: int = 0


class Term(NamedTuple):
    """From when to when a ticket is good."""

    issued_at_microseconds: int
    expires_at_microseconds: int

    @classmethod
    def lasting(cls, seconds: float, now_microseconds: int) -> Self:
        """Returns the term that begins now; none is longer than a replica accepts."""
        lasts_seconds = min(seconds, TICKET_MAX_LIFETIME_SECONDS)
        return cls(now_microseconds, now_microseconds + round(lasts_seconds * _MICROSECONDS))


class Signer(Protocol):
    """Signs tickets."""

    def sign(self, claims: TicketClaims) -> SignedTicket:
        """Returns the ticket that a replica can verify offline."""
        ...


def first_claims(
    grant: Grant, placement: Placement, *, region: int, term: Term, router: int = 0
) -> TicketClaims:
    """Returns what the ticket says that a request is admitted with."""
    return TicketClaims(
        ticket_id=Identity.random(),
        request_id=grant.request_id,
        lease_id=grant.lease_id,
        tenant=grant.key.tenant.number,
        key=grant.key.number,
        model=grant.model.number,
        region=region,
        home_region=grant.key.tenant.home_region,
        transfer_record=grant.transfer_record,
        replica=placement.replica,
        max_input_tokens=grant.size.input_tokens,
        max_output_tokens=grant.size.output_tokens,
        choices=grant.size.choices,
        priority=grant.priority,
        attempt=1,
        issued_at_microseconds=term.issued_at_microseconds,
        expires_at_microseconds=term.expires_at_microseconds,
        predicted_kv_blocks=placement.predicted_kv_blocks,
        router=router,
    )


def next_claims(
    last: TicketClaims, placement: Placement, term: Term, *, transfer_record: int = 0
) -> TicketClaims:
    """Returns what the ticket after `last` says: it permits the same, on another replica and from now on.

    The transfer record is that of now: the one before may have ended meanwhile.
    """
    return replace(
        last,
        ticket_id=Identity.random(),
        replica=placement.replica,
        attempt=last.attempt + 1,
        transfer_record=transfer_record,
        issued_at_microseconds=term.issued_at_microseconds,
        expires_at_microseconds=term.expires_at_microseconds,
        predicted_kv_blocks=placement.predicted_kv_blocks,
    )
