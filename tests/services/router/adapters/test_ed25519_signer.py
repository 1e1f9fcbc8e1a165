"""A ticket verifies with the public key, and not after a single bit of it changed."""

import pytest
from comptoir.ticket.v1 import ticket_pb2
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from services.contract.ticket import TicketClaims, signed_content
from services.kernel.identity import Identity
from services.router.adapters.ed25519_signer import Ed25519Signer

SEED = b"s" * 32
PUBLIC_KEY = Ed25519PrivateKey.from_private_bytes(SEED).public_key()
CLAIMS = TicketClaims(
    ticket_id=Identity(1, 2),
    request_id=Identity(3, 4),
    lease_id=Identity(5, 6),
    tenant=7,
    key=8,
    model=9,
    region=10,
    home_region=11,
    transfer_record=0,
    replica=12,
    max_input_tokens=13,
    max_output_tokens=14,
    priority=15,
    attempt=1,
    issued_at_microseconds=10**15,
    expires_at_microseconds=10**15 + 1,
    predicted_kv_blocks=16,
)
TICKET = Ed25519Signer(SEED, 3).sign(CLAIMS)


def test_a_ticket_verifies_and_carries_its_claims_and_the_number_of_its_key() -> None:
    PUBLIC_KEY.verify(TICKET.signature, signed_content(TICKET.claims))
    claims = ticket_pb2.TicketClaims.FromString(TICKET.claims)
    fields = [value for _, value in claims.ListFields()]
    assert fields == [*range(1, 12), 12, 13, 14, 15, 1, 10**15, 10**15 + 1, 16]
    assert TICKET.signing_key_number == 3


@given(st.integers(min_value=0, max_value=len(TICKET.claims) * 8 - 1))
def test_claims_with_a_changed_bit_do_not_verify(bit: int) -> None:
    with pytest.raises(InvalidSignature):
        PUBLIC_KEY.verify(TICKET.signature, signed_content(_flip(TICKET.claims, bit)))


@given(st.integers(min_value=0, max_value=64 * 8 - 1))
def test_a_signature_with_a_changed_bit_does_not_verify(bit: int) -> None:
    with pytest.raises(InvalidSignature):
        PUBLIC_KEY.verify(_flip(TICKET.signature, bit), signed_content(TICKET.claims))


@given(st.binary(min_size=1, max_size=8))
def test_nothing_can_be_added_to_the_claims(more: bytes) -> None:
    for claims in (TICKET.claims + more, more + TICKET.claims):
        with pytest.raises(InvalidSignature):
            PUBLIC_KEY.verify(TICKET.signature, signed_content(claims))


def test_the_signature_stands_for_a_ticket_and_for_nothing_else() -> None:
    with pytest.raises(InvalidSignature):
        PUBLIC_KEY.verify(TICKET.signature, TICKET.claims)


def test_another_key_does_not_verify() -> None:
    stranger = Ed25519PrivateKey.from_private_bytes(b"t" * 32).public_key()
    with pytest.raises(InvalidSignature):
        stranger.verify(TICKET.signature, signed_content(TICKET.claims))


def _flip(content: bytes, bit: int) -> bytes:
    changed = bytearray(content)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)
