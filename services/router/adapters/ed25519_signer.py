"""Signs tickets with the router's Ed25519 key, so that replicas verify them offline."""

from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from services.contract.ticket import TicketClaims, signed_content
from services.router.domain.ticket import SignedTicket
from services.router.wire import tickets as wire

SEED_BYTES: Final = 32


class Ed25519Signer:
    """One signing key, by its number; keys rotate by running with a new number."""

    def __init__(self, seed: bytes, number: int) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        self._number = number

    def sign(self, claims: TicketClaims) -> SignedTicket:
        """Returns the ticket with the signature over its context and its serialized claims."""
        content = wire.claims_bytes(claims)
        return SignedTicket(content, self._key.sign(signed_content(content)), self._number)
