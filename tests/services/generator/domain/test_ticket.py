from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.generator.domain.ticket import (
    MAX_LIFETIME_MICROSECONDS,
    MAX_SKEW_MICROSECONDS,
    Claims,
    Replica,
    TicketGate,
)
from services.kernel.errors import ComptoirError, Reason
from services.kernel.identity import Identity

START = 1_790_000_000_000_000
NOW = START + 100_000_000
CLAIMS = Claims(
    ticket_id=Identity(1, 2),
    request_id=Identity(3, 4),
    lease_id=Identity(5, 6),
    tenant=11,
    key=12,
    model=3,
    region=1,
    home_region=2,
    transfer_record=0,
    replica=7,
    max_input_tokens=100,
    max_output_tokens=50,
    priority=10,
    attempt=1,
    issued_at_microseconds=NOW - 1_000_000,
    expires_at_microseconds=NOW + 29_000_000,
    predicted_kv_blocks=4,
    digest=99,
)


def gate() -> TicketGate:
    return TicketGate(Replica(number=7, region=1, model=3), started_at_microseconds=START)


def refusal(claims: Claims, now: int = NOW) -> Reason | None:
    try:
        gate().check(claims, now)
    except ComptoirError as error:
        return error.reason
    return None


def test_a_good_ticket_passes() -> None:
    assert refusal(CLAIMS) is None


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"replica": 8}, Reason.TICKET_WRONG_REPLICA),
        ({"region": 2}, Reason.TICKET_WRONG_REPLICA),
        ({"model": 4}, Reason.TICKET_WRONG_REPLICA),
        ({"tenant": 0}, Reason.TICKET_INVALID),
        ({"key": 0}, Reason.TICKET_INVALID),
        ({"max_input_tokens": 0}, Reason.TICKET_INVALID),
        ({"max_output_tokens": 0}, Reason.TICKET_INVALID),
        ({"ticket_id": Identity(0, 0)}, Reason.TICKET_INVALID),
        ({"lease_id": Identity(0, 0)}, Reason.TICKET_INVALID),
        ({"request_id": Identity(0, 0)}, Reason.TICKET_INVALID),
        ({"expires_at_microseconds": NOW}, Reason.TICKET_EXPIRED),
        ({"issued_at_microseconds": NOW + 30_000_000}, Reason.TICKET_INVALID),
        ({"expires_at_microseconds": CLAIMS.issued_at_microseconds + 60_000_001}, Reason.TICKET_INVALID),
        ({"expires_at_microseconds": CLAIMS.issued_at_microseconds}, Reason.TICKET_INVALID),
    ],
)
def test_each_rule_has_its_reason(changes: dict[str, object], reason: Reason) -> None:
    assert refusal(replace(CLAIMS, **changes)) is reason  # type: ignore[arg-type]


def test_a_lease_is_called_back_unless_a_ticket_of_it_was_used() -> None:
    called, used = gate(), gate()
    assert called.call_back(CLAIMS.lease_id, NOW)
    with pytest.raises(ComptoirError) as raised:
        called.check(CLAIMS, NOW)
    assert raised.value.reason is Reason.TICKET_ALREADY_USED
    called.check(replace(CLAIMS, lease_id=Identity(5, 7)), NOW)
    used.use(CLAIMS, NOW)
    assert not used.call_back(CLAIMS.lease_id, NOW)


def test_a_lease_stays_called_back_as_long_as_any_ticket_of_it_may_live_and_is_forgotten_then() -> None:
    called = gate()
    assert called.call_back(CLAIMS.lease_id, NOW)
    last = replace(CLAIMS, expires_at_microseconds=CLAIMS.issued_at_microseconds + MAX_LIFETIME_MICROSECONDS)
    with pytest.raises(ComptoirError):
        called.check(last, last.expires_at_microseconds - 1)
    called.call_back(Identity(5, 7), NOW + MAX_LIFETIME_MICROSECONDS + MAX_SKEW_MICROSECONDS)
    called.use(CLAIMS, NOW)


def test_tickets_that_reserve_nothing_are_not_called_back() -> None:
    count = replace(CLAIMS, lease_id=Identity(0, 0), max_output_tokens=0)
    called = gate()
    assert not called.call_back(count.lease_id, NOW)
    called.check_count(count, NOW)


def test_a_ticket_of_the_longest_lifetime_passes_until_its_last_microsecond() -> None:
    claims = replace(CLAIMS, issued_at_microseconds=NOW, expires_at_microseconds=NOW + 60_000_000)
    assert refusal(claims, NOW + 59_999_999) is None
    assert refusal(claims, NOW + 60_000_000) is Reason.TICKET_EXPIRED


def test_a_ticket_issued_before_this_process_is_refused() -> None:
    claims = replace(
        CLAIMS,
        issued_at_microseconds=START - 1,
        expires_at_microseconds=START + MAX_LIFETIME_MICROSECONDS - 1,
    )
    assert refusal(claims, START + 1) is Reason.TICKET_EXPIRED


def test_a_ticket_of_a_router_whose_clock_is_a_little_ahead_passes() -> None:
    ahead = NOW + MAX_SKEW_MICROSECONDS
    claims = replace(CLAIMS, issued_at_microseconds=ahead, expires_at_microseconds=ahead + 1_000_000)
    assert refusal(claims) is None
    assert refusal(claims, NOW - 1) is Reason.TICKET_INVALID


def test_checking_does_not_use_a_ticket_up_and_using_does() -> None:
    doors = gate()
    doors.check(CLAIMS, NOW)
    doors.check(CLAIMS, NOW)
    doors.use(CLAIMS, NOW)
    with pytest.raises(ComptoirError) as error:
        doors.check(CLAIMS, NOW)
    assert error.value.reason is Reason.TICKET_ALREADY_USED


@given(uses=st.lists(st.tuples(st.integers(0, 20), st.integers(0, 30_000_000)), min_size=1, max_size=60))
def test_no_ticket_is_accepted_twice_however_they_come(uses: list[tuple[int, int]]) -> None:
    doors, now, accepted = gate(), NOW, set()
    for number, wait in uses:
        now += wait
        claims = replace(CLAIMS, ticket_id=Identity(1, number))
        try:
            doors.check(claims, now)
        except ComptoirError:
            continue
        assert number not in accepted
        accepted.add(number)
        doors.use(claims, now)


def test_used_tickets_are_forgotten_once_they_cannot_pass_any_more() -> None:
    doors, now = gate(), NOW
    for number in range(1000):
        now += 1_000_000
        claims = replace(
            CLAIMS,
            ticket_id=Identity(1, number),
            issued_at_microseconds=now,
            expires_at_microseconds=now + 60_000_000,
        )
        doors.check(claims, now)
        doors.use(claims, now)
    assert len(doors._used) <= 66


def test_a_clock_that_was_a_day_fast_at_the_start_and_is_set_right_costs_one_ticket_and_not_a_day() -> None:
    doors = gate()
    right = START - 86_400_000_000
    for number, is_refused in enumerate((True, False, False)):
        now = right + number * 1_000_000
        claims = replace(CLAIMS, issued_at_microseconds=now - 5_000, expires_at_microseconds=now + 10_000_000)
        if is_refused:
            with pytest.raises(ComptoirError) as refused:
                doors.check(claims, now)
            assert refused.value.reason is Reason.TICKET_EXPIRED
        else:
            doors.check(claims, now)
