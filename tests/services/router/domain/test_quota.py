"""What one account has left, and what of two is told."""

from dataclasses import astuple, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.kernel.errors import ComptoirError, Numbers, Reason
from services.kernel.quota import QuotaState
from services.router.domain.amount import NOTHING, Amount
from services.router.domain.quota import Account, Moment, Side, check, tighter
from services.router.domain.spending import day_of, end_of_day_seconds, end_of_month_seconds, month_of
from services.router.domain.tenancy import UNLIMITED, Quota

WALL_MILLISECONDS = 1_790_000_000_000
NOW = Moment(0, WALL_MILLISECONDS, day_of(WALL_MILLISECONDS))
DAY_ENDS, MONTH_ENDS = end_of_day_seconds(NOW.day), end_of_month_seconds(month_of(NOW.day))
CENT = 10_000_000


def account(quota: Quota, spent: Amount = NOTHING, held: Amount = NOTHING) -> Account:
    one = Account.new(NOW)
    one.ask(quota, NOW)
    one.spent.add(spent)
    one.held = held
    return one


def refusal_of(quota: Quota, asked: Amount, **used: Amount) -> ComptoirError:
    with pytest.raises(ComptoirError) as refusal:
        check((Side(account(quota, **used), quota, is_of_tenant=True),), 1, asked, NOW)
    return refusal.value


@pytest.mark.parametrize(
    ("quota", "reason", "ends"),
    [
        (Quota(tokens_per_day=100), Reason.DAY_TOKENS_EXHAUSTED, DAY_ENDS),
        (Quota(tokens_per_month=100), Reason.MONTH_TOKENS_EXHAUSTED, MONTH_ENDS),
    ],
)
def test_tokens_of_a_day_and_a_month_are_refused_until_it_is_over(
    quota: Quota, reason: Reason, ends: int
) -> None:
    refusal = refusal_of(quota, Amount(21), spent=Amount(50), held=Amount(30))
    assert (refusal.reason, refusal.is_of_tenant) == (reason, True)
    assert refusal.numbers == Numbers(100, 21, 20, is_of_tenant=True, resets_at_seconds=ends)
    assert refusal.retry_after_seconds == ends - WALL_MILLISECONDS / 1000
    check((Side(account(quota, Amount(50), Amount(30)), quota, is_of_tenant=True),), 1, Amount(20), NOW)


def test_a_budget_is_told_in_hundredths() -> None:
    quota = Quota(money_per_month_cents=100)
    spent, held = Amount(1, 70 * CENT + 1), Amount(1, 20 * CENT)
    refusal = refusal_of(quota, Amount(1, 10 * CENT), spent=spent, held=held)
    assert refusal.reason is Reason.BUDGET_EXHAUSTED
    assert refusal.numbers == Numbers(100, 10, 9, is_of_tenant=True, resets_at_seconds=MONTH_ENDS)


def test_what_costs_nothing_is_let_through_whatever_was_spent() -> None:
    quota = Quota(money_per_month_cents=1)
    check((Side(account(quota, Amount(1, 5 * CENT)), quota, is_of_tenant=False),), 1, Amount(9), NOW)


def test_the_day_that_ends_later_than_the_month_is_not_named_before_it() -> None:
    quota = Quota(tokens_per_day=10, tokens_per_month=10)
    assert refusal_of(quota, Amount(11)).reason is Reason.MONTH_TOKENS_EXHAUSTED


LEFT = st.integers(0, 100)
STATES = st.builds(QuotaState, LEFT, LEFT, LEFT, LEFT, st.floats(0, 60), st.floats(0, 60))


@given(one=STATES, other=STATES)
def test_of_two_states_the_one_that_has_less_left_is_told(one: QuotaState, other: QuotaState) -> None:
    told = tighter(one, other)
    for kind in ("requests", "tokens"):
        limited = [state for state in (one, other) if getattr(state, f"limit_{kind}")]
        left = [getattr(state, f"remaining_{kind}") for state in limited]
        if limited:
            assert getattr(told, f"remaining_{kind}") == min(left)
            assert getattr(told, f"limit_{kind}") > 0
        else:
            assert getattr(told, f"limit_{kind}") == 0


def test_a_state_of_one_account_alone_is_told_as_it_is() -> None:
    one = QuotaState(5, 4, 3, 2, 1.0, 0.5)
    assert astuple(tighter(one, QuotaState())) == astuple(one)
    assert tighter(QuotaState(), one) == one
    assert tighter(one, replace(one, remaining_tokens=1)).remaining_tokens == 1


def test_an_account_of_which_something_is_held_is_not_idle() -> None:
    assert account(UNLIMITED).is_idle
    assert not account(UNLIMITED, held=Amount(1)).is_idle
    assert not account(UNLIMITED, spent=Amount(1)).is_idle
