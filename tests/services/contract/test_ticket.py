"""What is signed and for how long it counts cannot change by accident: other versions are running."""

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from services.contract import ticket
from services.contract.ticket import TicketClaims
from services.generator.adapters.ed25519_signatures import Ed25519Signatures
from services.generator.settings import GeneratorSettings
from services.generator.wire.orders import claims_from
from services.kernel.identity import Identity
from services.router.adapters.ed25519_signer import SEED_BYTES, Ed25519Signer
from services.router.settings import RouterSettings

SEED = bytes(range(SEED_BYTES))
U32, U64 = st.integers(0, 2**32 - 1), st.integers(0, 2**64 - 1)
IDENTITIES = st.builds(Identity, U64, U64)
CLAIMS = st.builds(
    TicketClaims,
    ticket_id=IDENTITIES,
    request_id=IDENTITIES,
    lease_id=IDENTITIES,
    tenant=U32,
    key=U32,
    model=U32,
    region=U32,
    home_region=U32,
    transfer_record=U32,
    replica=U32,
    max_input_tokens=U32,
    max_output_tokens=U32,
    priority=st.integers(0, 255),
    attempt=U32,
    issued_at_microseconds=U64,
    expires_at_microseconds=U64,
    predicted_kv_blocks=U32,
    choices=st.integers(1, 16),
)
# Every field another number, as a router of any version signs it.
VECTOR = TicketClaims(Identity(1, 2), Identity(3, 4), Identity(5, 6), *range(7, 21))
CLAIMS_HEX = (
    "090100000000000000110200000000000000190300000000000000210400000000000000290500000000000000310600"
    "000000000000380740084809500a580b600c680d700e780f800110880111900112980113a00114"
)
SIGNATURE_HEX = (
    "be6b1953ef8799b028fcbd9b79d766dd2718e267898ad1ef5477cdf1890bf17cdae927323aac033424f5729306797d9d"
    "fd4851e9a28fc81f4402d2bd7d06e80a"
)
DIGEST = 0x940884125860FD2F


def public_key() -> Ed25519PublicKey:
    return Ed25519PrivateKey.from_private_bytes(SEED).public_key()


def test_both_sides_of_a_rolling_update_agree() -> None:
    assert ticket.signed_content(b"claims") == b"comptoir-ticket-v1\0claims"
    assert ticket.TICKET_MAX_LIFETIME_SECONDS == 60


def test_the_bytes_of_a_ticket_are_those_that_other_versions_sign_and_read() -> None:
    signed = Ed25519Signer(SEED, 1).sign(VECTOR)
    assert signed.claims.hex() == CLAIMS_HEX
    assert signed.signature.hex() == SIGNATURE_HEX
    assert claims_from(signed.claims).digest == DIGEST


@given(CLAIMS)
def test_what_the_router_signs_the_generator_reads_as_the_same(claims: TicketClaims) -> None:
    signed = Ed25519Signer(SEED, 1).sign(claims)
    assert Ed25519Signatures({1: public_key()}).is_valid(signed.claims, signed.signature, 1)
    read = claims_from(signed.claims)
    for name in TicketClaims.__dataclass_fields__:
        assert getattr(read, name) == getattr(claims, name), name


def test_the_longest_generation_is_the_same_for_who_lends_and_who_generates() -> None:
    lent = RouterSettings.model_fields["max_generation_seconds"].default
    assert GeneratorSettings.model_fields["max_request_seconds"].default == lent == 600.0
