"""Tickets: what one permits, what its signature covers, and the bounds of its life that both sides keep."""

from dataclasses import dataclass, field
from typing import Final

from services.kernel.identity import Identity

# No ticket is issued for longer, and none that claims more is accepted.
TICKET_MAX_LIFETIME_SECONDS: Final = 60
# Clocks of two machines differ: a ticket may be issued this much later than its replica's now. The router
# gives none to a replica whose clock it knows to be further off.
TICKET_MAX_SKEW_SECONDS: Final = 5

# Stands before the claims in what a ticket's signature covers, so that it can stand for nothing else.
_SIGNATURE_CONTEXT: Final = b"comptoir-ticket-v1\0"


@dataclass(frozen=True, slots=True)
class TicketClaims:
    """One permission for one request on one replica; `comptoir.ticket.v1.TicketClaims` has the meanings."""

    ticket_id: Identity
    request_id: Identity
    lease_id: Identity
    tenant: int
    key: int
    model: int
    region: int
    home_region: int
    transfer_record: int
    replica: int
    max_input_tokens: int
    max_output_tokens: int
    priority: int
    attempt: int
    issued_at_microseconds: int
    expires_at_microseconds: int
    predicted_kv_blocks: int
    choices: int = field(default=1, kw_only=True)
    router: int = field(default=0, kw_only=True)


def signed_content(claims: bytes) -> bytes:
    """Returns the bytes that the signature of serialized `claims` covers."""
    return _SIGNATURE_CONTEXT + claims
