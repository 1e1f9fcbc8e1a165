"""Between the ticket's schema and what the router drafts; pure functions."""

from comptoir.ticket.v1 import ticket_pb2

from services.contract.ticket import TicketClaims
from services.kernel.identity import Identity
from services.router.domain.ticket import SignedTicket


def claims_bytes(claims: TicketClaims) -> bytes:
    """Returns the serialized claims, which are signed and sent exactly so."""
    return ticket_pb2.TicketClaims(
        ticket_id_high=claims.ticket_id.high,
        ticket_id_low=claims.ticket_id.low,
        request_id_high=claims.request_id.high,
        request_id_low=claims.request_id.low,
        lease_id_high=claims.lease_id.high,
        lease_id_low=claims.lease_id.low,
        tenant=claims.tenant,
        key=claims.key,
        model=claims.model,
        region=claims.region,
        home_region=claims.home_region,
        transfer_record=claims.transfer_record,
        replica=claims.replica,
        max_input_tokens=claims.max_input_tokens,
        max_output_tokens=claims.max_output_tokens,
        # 1 is not said, as by a router that is older than choices.
        choices=claims.choices if claims.choices > 1 else 0,
        priority=claims.priority,
        attempt=claims.attempt,
        issued_at_microseconds=claims.issued_at_microseconds,
        expires_at_microseconds=claims.expires_at_microseconds,
        predicted_kv_blocks=claims.predicted_kv_blocks,
        router=claims.router,
    ).SerializeToString(deterministic=True)


def claims_of(content: bytes) -> TicketClaims:
    """Returns the claims that `claims_bytes` serialized."""
    message = ticket_pb2.TicketClaims.FromString(content)
    return TicketClaims(
        ticket_id=Identity(message.ticket_id_high, message.ticket_id_low),
        request_id=Identity(message.request_id_high, message.request_id_low),
        lease_id=Identity(message.lease_id_high, message.lease_id_low),
        router=message.router,
        tenant=message.tenant,
        key=message.key,
        model=message.model,
        region=message.region,
        home_region=message.home_region,
        transfer_record=message.transfer_record,
        replica=message.replica,
        max_input_tokens=message.max_input_tokens,
        max_output_tokens=message.max_output_tokens,
        choices=message.choices or 1,
        priority=message.priority,
        attempt=message.attempt,
        issued_at_microseconds=message.issued_at_microseconds,
        expires_at_microseconds=message.expires_at_microseconds,
        predicted_kv_blocks=message.predicted_kv_blocks,
    )


def signed_ticket(ticket: SignedTicket) -> ticket_pb2.SignedTicket:
    """Returns the message of a ticket, as it travels."""
    return ticket_pb2.SignedTicket(
        claims=ticket.claims,
        signature=ticket.signature,
        signing_key_number=ticket.signing_key_number,
    )
