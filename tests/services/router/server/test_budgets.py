"""Budgets over real gRPC: of a key, of its tenant with all keys, and what operators see of them."""

import datetime as dt
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from comptoir.router.v1 import admin_pb2
from comptoir.router.v1.admin_pb2 import (
    GetKeyRequest,
    GetTenantRequest,
    ListTenantsRequest,
    UpdateTenantRequest,
)

from services.kernel.errors import Reason
from tests.fakes.running_router import RunningRouter, admit, refused, running_router, settings_in, settlement

# What `admit` reserves, and the cents that it may cost: 100 at 0.01 and 50 at 0.1.
RESERVED, CENTS = 150, 6
PRICE = {"input_per_million_tokens": 100, "output_per_million_tokens": 1000}
CATALOG: dict[str, Any] = {
    "models": [
        {"number": 1, "name": "tiny-eu", "context_tokens": 1024, "max_output_tokens": 512, "price": PRICE}
    ],
    "currency": "CHF",
}


@pytest.fixture
async def priced(tmp_path: Path) -> AsyncIterator[RunningRouter]:
    async with running_router(settings_in(tmp_path, catalog=CATALOG)) as running:
        yield running


def end_of(period: str, running: RunningRouter) -> int:
    """When the day or the month of the router's clock ends."""
    now = dt.datetime.fromtimestamp(running.clock.wall_microseconds() / 1e6, dt.UTC)
    day = now.replace(hour=0, minute=0, second=0, microsecond=0)
    if period == "month":
        day = (day.replace(day=1) + dt.timedelta(days=31)).replace(day=1) - dt.timedelta(days=1)
    return int((day + dt.timedelta(days=1)).timestamp())


@pytest.mark.parametrize(
    ("limits", "reason", "period"),
    [
        ({"tokens_per_day": RESERVED + 10}, Reason.DAY_TOKENS_EXHAUSTED, "day"),
        ({"tokens_per_month": RESERVED + 10}, Reason.MONTH_TOKENS_EXHAUSTED, "month"),
        ({"money_per_month_cents": CENTS + 1}, Reason.BUDGET_EXHAUSTED, "month"),
    ],
)
async def test_a_key_whose_budget_is_used_up_is_told_so_until_it_begins_anew(
    priced: RunningRouter, limits: dict[str, int], reason: Reason, period: str
) -> None:
    spent = await priced.key(quota=admin_pb2.Quota(**limits))
    other = await priced.key()
    async with priced.replica():
        await priced.router.Admit(admit(spent))
        error = await refused(priced.router.Admit(admit(spent)))
        await priced.router.Admit(admit(other))
    is_money = reason is Reason.BUDGET_EXHAUSTED
    limit, requested = next(iter(limits.values())), CENTS if is_money else RESERVED
    numbers = error.numbers
    assert (error.reason, error.is_of_tenant) == (reason, False)
    assert (numbers.limit, numbers.requested, numbers.available) == (limit, requested, limit - requested)
    assert numbers.currency == ("CHF" if is_money else "")
    assert numbers.resets_at_seconds == end_of(period, priced)
    wait_seconds = numbers.resets_at_seconds - priced.clock.wall_microseconds() / 1e6
    assert error.retry_after_seconds == pytest.approx(wait_seconds, abs=1)
    assert not error.reason.row.is_retryable


async def test_a_tenants_budget_is_that_of_all_its_keys_until_it_is_made_larger(
    priced: RunningRouter,
) -> None:
    one, other = await priced.key("acme"), await priced.key("acme")
    quota = admin_pb2.Quota(money_per_month_cents=CENTS)
    await priced.admin.UpdateTenant(UpdateTenantRequest(name="acme", quota=quota))
    async with priced.replica():
        await priced.router.Admit(admit(one))
        for api_key in (one, other):
            error = await refused(priced.router.Admit(admit(api_key)))
            assert (error.reason, error.is_of_tenant) == (Reason.BUDGET_EXHAUSTED, True)
        quota.money_per_month_cents = 2 * CENTS
        await priced.admin.UpdateTenant(UpdateTenantRequest(name="acme", quota=quota))
        await priced.router.Admit(admit(other))
        assert (await refused(priced.router.Admit(admit(one)))).is_of_tenant


async def test_what_a_whole_budget_cannot_hold_is_refused_for_good(priced: RunningRouter) -> None:
    api_key = await priced.key(quota=admin_pb2.Quota(money_per_month_cents=CENTS - 1))
    async with priced.replica():
        error = await refused(priced.router.Admit(admit(api_key)))
        assert (error.reason, error.retry_after_seconds) == (Reason.QUOTA_TOO_SMALL, 0)
        assert (error.numbers.limited_by, error.numbers.currency) == (Reason.BUDGET_EXHAUSTED, "CHF")
        await priced.router.Admit(admit(api_key, max_output_tokens=error.numbers.available))


async def test_operators_see_what_was_used_and_what_is_held(priced: RunningRouter) -> None:
    api_key = await priced.key("acme", quota=admin_pb2.Quota(tokens_per_day=10_000))
    seen = (await priced.admin.GetKey(GetKeyRequest(number=1))).spending
    assert (seen.tokens_of_day, seen.money_of_month_nanos, seen.currency) == (0, 0, "CHF")
    async with priced.replica() as replica:
        admitted = await priced.router.Admit(admit(api_key))
        await priced.router.Admit(admit(api_key))
        seen = (await priced.admin.GetKey(GetKeyRequest(number=1))).spending
        assert (seen.tokens_of_day, seen.tokens_of_month) == (2 * RESERVED, 2 * RESERVED)
        assert seen.money_of_month_nanos == 2 * CENTS * 10**7
        await replica.say(settlements=[settlement(admitted, tokens=20)])
    seen = (await priced.admin.GetKey(GetKeyRequest(number=1))).spending
    of_tenant = (await priced.admin.GetTenant(GetTenantRequest(name="acme"))).spending
    used_nanos = 20 * 100_000 + 20 * 1_000_000
    assert (seen.tokens_of_day, seen.money_of_month_nanos) == (RESERVED + 40, CENTS * 10**7 + used_nanos)
    assert of_tenant == seen
    await priced.key("other")
    listed = await priced.admin.ListTenants(ListTenantsRequest(with_spending=True))
    assert [spent.tokens_of_day for spent in listed.spending] == [seen.tokens_of_day, 0]
    assert list((await priced.admin.ListTenants(ListTenantsRequest())).spending) == []
    assert (seen.day_ends_seconds, seen.month_ends_seconds) == (
        end_of("day", priced),
        end_of("month", priced),
    )
