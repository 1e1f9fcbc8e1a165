"""Tickets that were changed, or that nothing permits abroad: a replica outside the EU takes none of them."""

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from services.contract.ticket import TicketClaims, signed_content
from services.generator.adapters.ed25519_signatures import Ed25519Signatures
from services.generator.domain.abroad import Abroad
from services.generator.domain.ticket import Replica, TicketGate
from services.generator.wire.orders import claims_from
from services.kernel.catalog import Catalog, Model, Region
from services.kernel.errors import ComptoirError, Reason
from services.kernel.identity import Identity
from services.router.wire.tickets import claims_bytes
from tests.services.generator.domain.test_abroad import Records

NOW: Final = 1_790_000_100_000_000
OURS = Ed25519PrivateKey.from_private_bytes(b"1" * 32)
STRANGER = Ed25519PrivateKey.from_private_bytes(b"2" * 32)
CATALOG = Catalog(
    models=(Model(number=3, name="tiny-eu", context_tokens=1024, max_output_tokens=512),),
    regions=(
        Region(number=1, name="us-east", country="US", is_eu=False),
        Region(number=2, name="eu-fr"),
        Region(number=3, name="ae", country="AE", is_eu=False),
    ),
)
GOOD = TicketClaims(
    ticket_id=Identity(1, 2),
    request_id=Identity(3, 4),
    lease_id=Identity(5, 6),
    tenant=11,
    key=12,
    model=3,
    region=1,
    home_region=2,
    transfer_record=7,
    replica=7,
    max_input_tokens=100,
    max_output_tokens=50,
    priority=10,
    attempt=1,
    issued_at_microseconds=NOW - 1_000_000,
    expires_at_microseconds=NOW + 29_000_000,
    predicted_kv_blocks=4,
)
Ticket = tuple[bytes, bytes, int]


class Door:
    """All that stands between a ticket and an engine, in a region abroad with one record in force."""

    def __init__(self) -> None:
        self._signatures = Ed25519Signatures({1: OURS.public_key()})
        abroad = Abroad(CATALOG, CATALOG.regions[0], Records())
        self._gate = TicketGate(
            Replica(number=7, region=1, model=3), started_at_microseconds=NOW - 10**9, abroad=abroad
        )

    def refusal(self, ticket: Ticket) -> Reason | None:
        """Why a ticket is refused; None where it would be accepted."""
        content, signature, number = ticket
        if not self._signatures.is_valid(content, signature, number):
            return Reason.TICKET_INVALID
        try:
            self._gate.check(claims_from(content), NOW)
        except ComptoirError as error:
            return error.reason
        return None


def signed(claims: TicketClaims, key: Ed25519PrivateKey = OURS) -> Ticket:
    """A ticket with a signature that is right for its key."""
    content = claims_bytes(claims)
    return content, key.sign(signed_content(content)), 1


def flipped(content: bytes, chance: random.Random) -> bytes:
    """The bytes with one bit changed."""
    changed = bytearray(content)
    changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
    return bytes(changed)


def other_claims(chance: random.Random) -> Ticket:
    """A changed bit within what was signed."""
    content, signature, number = signed(GOOD)
    return flipped(content, chance), signature, number


def other_signature(chance: random.Random) -> Ticket:
    """A changed bit of the signature."""
    content, signature, number = signed(GOOD)
    return content, flipped(signature, chance), number


def cut_or_grown(chance: random.Random) -> Ticket:
    """Claims with fewer or more bytes."""
    content, signature, number = signed(GOOD)
    if chance.random() < 0.5:
        return content[: chance.randrange(len(content))], signature, number
    return content + chance.randbytes(chance.randint(1, 9)), signature, number


def swapped(chance: random.Random) -> Ticket:
    """The signature of a ticket without a record, beside claims with one."""
    _, signature, number = signed(replace(GOOD, transfer_record=0, tenant=chance.randint(1, 99)))
    return signed(GOOD)[0], signature, number


def of_a_stranger(chance: random.Random) -> Ticket:
    """Good claims, signed with a key that is not ours."""
    content, signature, _ = signed(replace(GOOD, tenant=chance.randint(1, 99)), STRANGER)
    return content, signature, chance.choice((1, 2, 0))


def without_its_record(chance: random.Random) -> Ticket:
    """What a router that was taken over signs itself: no record, or one that is none."""
    number = chance.choice((0, chance.randrange(1, 2**32)))
    return signed(replace(GOOD, transfer_record=0 if number == 7 else number))


def of_another_home(chance: random.Random) -> Ticket:
    """A record that is in force, for a tenant whose home it does not name."""
    return signed(replace(GOOD, home_region=chance.choice((1, 3, chance.randint(4, 65_535)))))


def of_another_region(chance: random.Random) -> Ticket:
    """A ticket of another region, in the EU or abroad, under the same record."""
    return signed(replace(GOOD, region=chance.choice((2, 3, chance.randint(4, 65_535)))))


KINDS: Final[tuple[Callable[[random.Random], Ticket], ...]] = (
    other_claims,
    other_signature,
    cut_or_grown,
    swapped,
    of_a_stranger,
    without_its_record,
    of_another_home,
    of_another_region,
)


def outcomes(count: int, seed: int) -> Counter[Reason | None]:
    """What becomes of so many tickets; `None` counts those that are accepted."""
    chance, door = random.Random(seed), Door()
    return Counter(door.refusal(KINDS[number % len(KINDS)](chance)) for number in range(count))


def test_the_ticket_that_all_others_differ_from_is_accepted() -> None:
    assert Door().refusal(signed(GOOD)) is None


def test_of_all_others_none_is_accepted() -> None:
    found = outcomes(300 * len(KINDS), seed=3)
    assert found[None] == 0
    assert found[Reason.REGION_NOT_ALLOWED] >= 600
    assert found[Reason.TICKET_WRONG_REPLICA] == 300
