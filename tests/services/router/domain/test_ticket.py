"""What tickets say: the first and every one after it, each with its own identity, none for over a minute."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from services.contract.ticket import TicketClaims
from services.kernel.identity import Identity
from services.router.domain.lease import Process
from services.router.domain.placement.placing import Placement
from services.router.domain.sizing import Size
from services.router.domain.tenancy import Key, Quota, Tenant
from services.router.domain.ticket import Grant, Term, first_claims, next_claims
from tests.fakes.router import TINY

KEY = Key(4, Tenant(3, "acme", 2, 1), bytes(32), "test", frozenset(), Quota(), 1)
GRANT = Grant(Identity(1, 2), Identity(3, 4), KEY, TINY, Size(100, 50, 2048), 10)
NOW = 10**15
LATER = Term.lasting(30.0, NOW + 5_000_000)


def first() -> TicketClaims:
    return first_claims(GRANT, placement(1), region=1, term=Term.lasting(30.0, NOW))


def placement(number: int) -> Placement:
    return Placement(Process(number, 5), "127.0.0.1:1", number * 10)


def test_a_ticket_says_who_may_use_how_much_of_what() -> None:
    one = first()
    assert (one.request_id, one.lease_id) == (GRANT.request_id, GRANT.lease_id)
    assert (one.tenant, one.key, one.home_region, one.model, one.region) == (3, 4, 2, 1, 1)
    assert (one.max_input_tokens, one.max_output_tokens, one.priority) == (100, 50, 10)
    assert (one.attempt, one.replica, one.predicted_kv_blocks) == (1, 1, 10)
    assert (one.issued_at_microseconds, one.expires_at_microseconds) == (NOW, NOW + 30_000_000)


def test_the_next_ticket_permits_the_same_on_another_replica_and_from_now_on() -> None:
    last = first()
    one = next_claims(last, placement(2), LATER)
    assert one.ticket_id != last.ticket_id
    assert one == replace(
        last,
        ticket_id=one.ticket_id,
        replica=2,
        attempt=2,
        predicted_kv_blocks=20,
        issued_at_microseconds=NOW + 5_000_000,
        expires_at_microseconds=NOW + 35_000_000,
    )


@given(st.floats(min_value=0.001, max_value=10_000))
def test_no_ticket_lives_longer_than_a_minute(lifetime_seconds: float) -> None:
    term = Term.lasting(lifetime_seconds, NOW)
    assert 0 < term.expires_at_microseconds - term.issued_at_microseconds <= 60_000_000
