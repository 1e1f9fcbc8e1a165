"""Claims travel whole, and stay small."""

import dataclasses

from comptoir.ticket.v1 import ticket_pb2
from hypothesis import given
from hypothesis import strategies as st

from services.contract.ticket import TicketClaims
from services.kernel.identity import Identity
from services.router.wire import tickets as wire

NUMBERS = st.integers(min_value=0, max_value=2**32 - 1)
IDENTITIES = st.builds(Identity, st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1))


@given(
    st.builds(
        TicketClaims,
        **{
            field.name: IDENTITIES if field.name.endswith("_id") else NUMBERS
            for field in dataclasses.fields(TicketClaims)
        },
    )
)
def test_claims_travel_whole(claims: TicketClaims) -> None:
    message = ticket_pb2.TicketClaims.FromString(wire.claims_bytes(claims))
    if claims.choices:
        assert wire.claims_of(wire.claims_bytes(claims)) == claims
    for field in dataclasses.fields(claims):
        value = getattr(claims, field.name)
        if isinstance(value, Identity):
            assert (getattr(message, f"{field.name}_high"), getattr(message, f"{field.name}_low")) == value
        else:
            # One choice is not said, as by a router that knows nothing of choices.
            assert getattr(message, field.name) == (0 if field.name == "choices" and value == 1 else value)
    assert len(wire.claims_bytes(claims)) <= 512
