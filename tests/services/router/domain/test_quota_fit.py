"""What no wait makes room for is refused with the limit, whose it is, and what would fit."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.kernel.catalog import Model, Price
from services.kernel.errors import ComptoirError, Numbers, Reason
from services.router.domain.quota_fit import check_quota
from services.router.domain.sizing import size_of, size_of_inputs
from services.router.domain.tenancy import UNLIMITED, Key, Quota, Tenant
from tests.fakes.router import TINY

# Whole limits that a request of TINY may or may not fit.
LIMITS = st.integers(0, 5_000)
QUOTAS = st.builds(
    Quota,
    tokens_per_minute=LIMITS,
    tokens_per_day=LIMITS,
    tokens_per_month=LIMITS,
    money_per_month_cents=st.integers(0, 100),
)
NANOS = st.decimals(0, 100_000, places=3)
PRICES = st.none() | st.builds(Price, input_per_million_tokens=NANOS, output_per_million_tokens=NANOS)
WEIGHTS = st.decimals("0.001", 4, places=3)


def key_of(quota: Quota, of_tenant: Quota = UNLIMITED) -> Key:
    tenant = Tenant(1, "acme", 1, 50, quota=of_tenant)
    return Key(4, tenant, b"d" * 32, "", frozenset(), quota, 8)


def refusal_of(model: Model, key: Key, bound: int, wanted: int, choices: int = 1) -> ComptoirError | None:
    try:
        check_quota(model, size_of(model, bound, wanted, choices), key)
    except ComptoirError as refusal:
        return refusal
    return None


@given(
    st.integers(1, 2_000),
    st.integers(1, 600),
    st.integers(1, 16),
    st.builds(key_of, QUOTAS, QUOTAS),
    st.fixed_dictionaries({"price": PRICES, "token_weight": WEIGHTS}),
)
def test_what_is_said_to_fit_does_and_no_token_more(
    bound: int, wanted: int, choices: int, key: Key, costs: dict[str, object]
) -> None:
    model = TINY.model_copy(update=costs)
    refusal = refusal_of(model, key, bound, wanted, choices)
    if refusal is None:
        return
    numbers = refusal.numbers
    assert refusal.reason is Reason.QUOTA_TOO_SMALL
    assert 0 < numbers.limit < numbers.requested
    if numbers.available:
        assert refusal.field == "max_output_tokens"
        assert refusal_of(model, key, bound, numbers.available, choices) is None
        assert refusal_of(model, key, bound, numbers.available + 1, choices) is not None
    else:
        assert refusal.field == "prompt_tokens_upper_bound"
        assert refusal_of(model, key, bound, 1, choices) is not None


@given(st.integers(1, 2_000), st.integers(0, 3_000), st.integers(0, 2_000), st.integers(1, 16))
def test_a_limit_holds_what_it_says_and_none_is_no_limit(
    bound: int, wanted: int, limit: int, choices: int
) -> None:
    size = size_of(TINY, bound, wanted, choices)
    refusal = refusal_of(TINY, key_of(Quota(tokens_per_minute=limit)), bound, wanted, choices)
    assert (refusal is not None) == (0 < limit < size.reserved_tokens)
    if refusal is not None:
        assert refusal.numbers.requested == size.reserved_tokens


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("tokens_per_minute", Reason.TOKENS_EXHAUSTED),
        ("tokens_per_day", Reason.DAY_TOKENS_EXHAUSTED),
        ("tokens_per_month", Reason.MONTH_TOKENS_EXHAUSTED),
    ],
)
@pytest.mark.parametrize("is_of_tenant", [False, True])
def test_every_limit_of_tokens_is_told_with_its_name_and_whose_it_is(
    name: str, reason: Reason, is_of_tenant: bool
) -> None:
    quota = Quota.model_validate({name: 120})
    key = key_of(Quota(), quota) if is_of_tenant else key_of(quota)
    refusal = refusal_of(TINY, key, 100, 50)
    assert refusal is not None
    assert refusal.numbers == Numbers(120, 150, 20, is_of_tenant=is_of_tenant, limited_by=reason)


def test_a_budget_is_told_in_hundredths() -> None:
    # A token of an answer costs a tenth of a cent, one of a prompt a hundredth.
    price = Price.model_validate({"input_per_million_tokens": 100, "output_per_million_tokens": 1000})
    model = TINY.model_copy(update={"price": price})
    refusal = refusal_of(model, key_of(Quota(money_per_month_cents=3)), 100, 50)
    assert refusal is not None
    # One cent for the prompt and five for the answer.
    assert refusal.numbers == Numbers(3, 6, 20, limited_by=Reason.BUDGET_EXHAUSTED)
    assert refusal_of(model, key_of(Quota(money_per_month_cents=6)), 100, 50) is None


def test_the_limit_that_leaves_the_least_room_is_told() -> None:
    key = key_of(Quota(tokens_per_minute=140), Quota(tokens_per_day=130))
    refusal = refusal_of(TINY, key, 100, 50)
    assert refusal is not None
    assert (refusal.numbers.available, refusal.numbers.limited_by) == (30, Reason.DAY_TOKENS_EXHAUSTED)


def test_a_heavy_model_counts_more() -> None:
    heavy = TINY.model_copy(update={"token_weight": 2})
    refusal = refusal_of(heavy, key_of(Quota(tokens_per_minute=299)), 100, 50)
    assert refusal is not None
    assert refusal.numbers == Numbers(299, 300, 49, limited_by=Reason.TOKENS_EXHAUSTED)


def test_inputs_that_no_minute_holds_have_no_output_to_lower() -> None:
    size = size_of_inputs(TINY, 500, 1)
    with pytest.raises(ComptoirError) as refusal:
        check_quota(TINY, size, key_of(Quota(tokens_per_minute=499)))
    assert (refusal.value.reason, refusal.value.field) == (
        Reason.QUOTA_TOO_SMALL,
        "prompt_tokens_upper_bound",
    )
    assert refusal.value.numbers == Numbers(499, 500, limited_by=Reason.TOKENS_EXHAUSTED)
