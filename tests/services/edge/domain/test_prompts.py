"""A refusal that no wait mends says so; any other is told as it is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.edge.domain.prompts import refusal_of_all
from services.kernel.errors import ComptoirError, Numbers, Reason

BOUNDS = st.lists(st.integers(1, 3000), min_size=2, max_size=16)


@pytest.mark.parametrize("reason", [Reason.REQUESTS_EXHAUSTED, Reason.CONCURRENCY_EXHAUSTED])
@pytest.mark.parametrize(("limit", "is_for_ever"), [(2, True), (3, False)])
def test_a_key_that_never_has_so_many_requests_is_told_of_its_prompts(
    reason: Reason, limit: int, is_for_ever: bool
) -> None:
    error = ComptoirError(reason, retry_after_seconds=1.0, numbers=Numbers(limit, 1))
    told = refusal_of_all(error, 0, [1, 1, 1])
    assert told.reason is reason or (told.reason, told.field) == (Reason.REQUEST_INVALID, "prompt")
    assert (told.reason is not reason) is is_for_ever
    assert told.numbers == (Numbers(limit, 3) if is_for_ever else Numbers(limit, 1))


@given(BOUNDS, st.integers(0, 15), st.integers(1, 100), st.integers(1, 60_000))
def test_only_what_can_never_fit_is_refused_for_good(
    bounds: list[int], refused: int, output_tokens: int, limit: int
) -> None:
    refused %= len(bounds)
    reserved = [bound + output_tokens for bound in bounds]
    error = ComptoirError(Reason.TOKENS_EXHAUSTED, numbers=Numbers(limit, reserved[refused]))
    told = refusal_of_all(error, refused, bounds)
    if told.reason is not error.reason:
        assert told.reason is Reason.QUOTA_TOO_SMALL
        assert limit < told.numbers.requested <= sum(reserved)
    elif len(set(bounds)) == 1:
        # Of prompts of one size nothing is guessed.
        assert sum(reserved) <= limit


@given(
    BOUNDS,
    st.integers(0, 15),
    st.integers(0, 100),
    st.integers(1, 60_000),
    st.integers(1, 5000),
    st.sampled_from([Reason.DAY_TOKENS_EXHAUSTED, Reason.MONTH_TOKENS_EXHAUSTED, Reason.BUDGET_EXHAUSTED]),
)
def test_a_budget_that_holds_all_prompts_is_never_said_to_be_too_small(
    bounds: list[int], refused: int, output_tokens: int, limit: int, permille: int, reason: Reason
) -> None:
    refused %= len(bounds)
    # What each reserves, in thousandths of a unit: tokens of the model's weight, or money.
    exact = [(bound + output_tokens) * permille for bound in bounds]
    requested = -(-exact[refused] // 1000)
    numbers = Numbers(limit, requested, is_of_tenant=True, resets_at_seconds=9, currency="EUR")
    error = ComptoirError(reason, numbers=numbers)
    told = refusal_of_all(error, refused, bounds)
    if told is error:
        return
    assert told.reason is Reason.QUOTA_TOO_SMALL
    whole = reason is Reason.BUDGET_EXHAUSTED
    assert (sum(exact) / 1000 if whole else sum(-(-each // 1000) for each in exact)) > limit
    assert (told.numbers.limited_by, told.numbers.is_of_tenant, told.numbers.currency) == (
        reason,
        True,
        "EUR",
    )
    assert told.numbers.resets_at_seconds == 0


def test_a_day_that_holds_no_two_prompts_of_the_size_is_too_small() -> None:
    error = ComptoirError(Reason.DAY_TOKENS_EXHAUSTED, numbers=Numbers(100, 51))
    assert refusal_of_all(error, 0, [40, 40]).numbers == Numbers(
        100, 102, limited_by=Reason.DAY_TOKENS_EXHAUSTED
    )
    assert refusal_of_all(error, 0, [40]) is error


def test_the_wait_makes_room_for_all_prompts_of_the_next_try() -> None:
    error = ComptoirError(Reason.REQUESTS_EXHAUSTED, retry_after_seconds=3.0, numbers=Numbers(20, 1))
    assert refusal_of_all(error, 19, [5] * 20).retry_after_seconds == 60
    assert refusal_of_all(error, 9, [5] * 10).retry_after_seconds == 30
    error = ComptoirError(Reason.TOKENS_EXHAUSTED, retry_after_seconds=3.0, numbers=Numbers(6000, 100))
    assert refusal_of_all(error, 3, [90] * 4).retry_after_seconds == 4
    # Already longer.
    assert refusal_of_all(error, 0, [90] * 2).retry_after_seconds == 3


def test_any_other_refusal_is_told_as_it_is() -> None:
    error = ComptoirError(Reason.CONTEXT_TOO_LONG, numbers=Numbers(1, 2))
    assert refusal_of_all(error, 1, [1, 2]) is error
