"""In-memory stand-ins for the router's signer and for its counter of leases."""

from collections import Counter

from services.contract.ticket import TicketClaims
from services.router.domain.lease import Transition
from services.router.domain.ticket import SignedTicket


class CountedTransitions(Counter[str]):
    """A counter of leases that a test can read."""

    def count(self, transition: Transition) -> None:
        self[transition.value] += 1


class PlainSigner:
    """A signer whose tickets are plain text; it keeps the claims."""

    def __init__(self) -> None:
        self.signed: list[TicketClaims] = []
        self.failure: Exception | None = None

    def sign(self, claims: TicketClaims) -> SignedTicket:
        if self.failure is not None:
            raise self.failure
        self.signed.append(claims)
        return SignedTicket(b"claims", b"signature", 1)
