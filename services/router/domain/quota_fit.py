"""Refuses a request that no wait makes room for: it needs more than a whole limit of its key or tenant."""

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from services.kernel.catalog import Model
from services.kernel.errors import ComptoirError, Numbers, Reason
from services.router.domain.amount import Amount
from services.router.domain.pricing import reserved
from services.router.domain.sizing import Size
from services.router.domain.tenancy import Key, Quota

_NANOS_PER_CENT: Final = 10_000_000


def check_quota(model: Model, size: Size, key: Key) -> None:
    """Raises QUOTA_TOO_SMALL with the limit that leaves the least room, of all that are too small."""
    amount = reserved(model, size)
    if _holds(key.quota, amount) and _holds(key.tenant.quota, amount):
        return
    refusals = [
        _numbers(model, size, limit, requested)
        for limit in _limits(key)
        if (requested := _needed(limit.limited_by, amount)) > limit.limit
    ]
    numbers = min(refusals, key=lambda refusal: refusal.available)
    field = "max_output_tokens" if numbers.available else "prompt_tokens_upper_bound"
    raise ComptoirError(Reason.QUOTA_TOO_SMALL, field=field, numbers=numbers)


def _holds(quota: Quota, amount: Amount) -> bool:
    """Tells whether every limit of a quota holds an amount; asked for every request, and so spelled out."""
    tokens = amount.tokens
    return (
        not 0 < quota.tokens_per_minute < tokens
        and not 0 < quota.tokens_per_day < tokens
        and not 0 < quota.tokens_per_month < tokens
        and not 0 < quota.money_per_month_cents * _NANOS_PER_CENT < amount.nanos
    )


def _limits(key: Key) -> Iterator[Numbers]:
    for quota, is_of_tenant in ((key.quota, False), (key.tenant.quota, True)):
        for reason, limit in _limits_of(quota):
            if limit:
                yield Numbers(limit, is_of_tenant=is_of_tenant, limited_by=reason)


def _limits_of(quota: Quota) -> Iterator[tuple[Reason, int]]:
    yield Reason.TOKENS_EXHAUSTED, quota.tokens_per_minute
    yield Reason.DAY_TOKENS_EXHAUSTED, quota.tokens_per_day
    yield Reason.MONTH_TOKENS_EXHAUSTED, quota.tokens_per_month
    yield Reason.BUDGET_EXHAUSTED, quota.money_per_month_cents


def _numbers(model: Model, size: Size, limit: Numbers, requested: int) -> Numbers:
    """Returns the numbers of a refusal, with the most output tokens of each choice that fit."""

    def needed(output_tokens: int) -> int:
        return _needed(limit.limited_by, reserved(model, replace(size, output_tokens=output_tokens)))

    fitting = bisect_right(range(size.output_tokens), limit.limit, key=needed)
    return replace(limit, requested=requested, available=max(0, fitting - 1))


def _needed(limited_by: Reason, amount: Amount) -> int:
    """Returns an amount in the unit of a limit, rounded up."""
    if limited_by is Reason.BUDGET_EXHAUSTED:
        return -(-amount.nanos // _NANOS_PER_CENT)
    return amount.tokens
