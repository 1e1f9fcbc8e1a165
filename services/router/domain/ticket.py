"""What a ticket permits, as the router drafts it before it is signed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

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


def draft_claims(
    grant: Grant,
    placements: Sequence[Placement],
    *,
    region: int,
    issued_at_microseconds: int,
    lifetime_seconds: float,
) -> list[TicketClaims]:
    """Returns one ticket's claims per placement, in their order; no two have the same identity."""
    expires_at_microseconds = issued_at_microseconds + round(
        min(lifetime_seconds, TICKET_MAX_LIFETIME_SECONDS) * _MICROSECONDS
    )
    return [
        TicketClaims(
            ticket_id=Identity.random(),
            request_id=grant.request_id,
            lease_id=grant.lease_id,
            tenant=grant.key.tenant.number,
            key=grant.key.number,
            model=grant.model.number,
            region=region,
            home_region=grant.key.tenant.home_region,
            transfer_record=0,
            replica=placement.replica,
            max_input_tokens=grant.size.input_tokens,
            max_output_tokens=grant.size.output_tokens,
            choices=grant.size.choices,
            priority=grant.priority,
            attempt=attempt,
            issued_at_microseconds=issued_at_microseconds,
            expires_at_microseconds=expires_at_microseconds,
            predicted_kv_blocks=placement.predicted_kv_blocks,
        )
        for attempt, placement in enumerate(placements, start=1)
    ]
