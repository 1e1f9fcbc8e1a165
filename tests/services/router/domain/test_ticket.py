"""Drafts of tickets: one per placement, each with its own identity, none longer than a minute."""

from hypothesis import given
from hypothesis import strategies as st

from services.contract.ticket import TicketClaims
from services.kernel.identity import Identity
from services.router.domain.lease import Process
from services.router.domain.placement.placing import Placement
from services.router.domain.sizing import Size
from services.router.domain.tenancy import Key, Quota, Tenant
from services.router.domain.ticket import Grant, draft_claims
from tests.fakes.router import TINY

KEY = Key(4, Tenant(3, "acme", 2, 1), bytes(32), "test", frozenset(), Quota(), 1)
GRANT = Grant(Identity(1, 2), Identity(3, 4), KEY, TINY, Size(100, 50, 2048), 10)


def drafts(count: int, lifetime_seconds: float = 30.0) -> list[TicketClaims]:
    placements = [Placement(Process(number, 5), "127.0.0.1:1", number * 10) for number in range(1, count + 1)]
    return draft_claims(
        GRANT, placements, region=1, issued_at_microseconds=10**15, lifetime_seconds=lifetime_seconds
    )


def test_drafts_follow_the_order_of_placement() -> None:
    assert [(one.attempt, one.replica, one.predicted_kv_blocks) for one in drafts(3)] == [
        (1, 1, 10),
        (2, 2, 20),
        (3, 3, 30),
    ]
    assert len({one.ticket_id for one in drafts(3)}) == 3


def test_a_draft_says_who_may_use_how_much_of_what() -> None:
    (one,) = drafts(1)
    assert (one.request_id, one.lease_id) == (GRANT.request_id, GRANT.lease_id)
    assert (one.tenant, one.key, one.home_region, one.model, one.region) == (3, 4, 2, 1, 1)
    assert (one.max_input_tokens, one.max_output_tokens, one.priority) == (100, 50, 10)


@given(st.floats(min_value=0.001, max_value=10_000))
def test_no_ticket_lives_longer_than_a_minute(lifetime_seconds: float) -> None:
    (one,) = drafts(1, lifetime_seconds)
    assert 0 < one.expires_at_microseconds - one.issued_at_microseconds <= 60_000_000
