"""What the views of cost say, on the real engine, of rows whose cost was reckoned by hand."""

from datetime import timedelta
from itertools import pairwise
from random import Random
from typing import Any

import pytest

from pipelines.usage.domain.gpu_prices import GpuPrice
from services.contract.events import Kind
from tests.system.usage.store import Store, yesterday

pytestmark = pytest.mark.system

SECOND = 1_000_000
CHEAP = GpuPrice(gpu_class=7, name="l40s", price_per_hour=1.8)
DEAR = GpuPrice(gpu_class=8, name="h100", price_per_hour=3.6)
CANCELLED = 4
BATCH = 20


async def up(store: Store, *clocks: str, **replica: int) -> None:
    for clock in clocks:
        await store.happened(Kind.REPLICA_LOAD, yesterday(clock), **{"model": 1, "replica": 1, **replica})


async def answered(store: Store, clock: str, seconds: float, **generation: int) -> None:
    own: dict[str, int] = {
        "model": 1,
        "replica": 1,
        "duration_microseconds": int(seconds * SECOND),
        "outcome": 1,
    }
    await store.happened(Kind.GENERATION, yesterday(clock), **{**own, **generation})


async def cost(store: Store, columns: str, rest: str = "") -> list[Any]:
    query = f"SELECT {columns} FROM DATABASE.cost_per_million_tokens {rest}"  # noqa: S608 - names of ours
    return [
        tuple(round(it, 9) if isinstance(it, float) else it for it in row) for row in await store.rows(query)
    ]


async def a_morning(store: Store) -> None:
    """A cheap replica of one accelerator and a dear one of two, for eight minutes."""
    await store.declare(CHEAP, DEAR)
    await up(store, "10:00:00", "10:04:00", "10:08:00", gpu_class=7)
    await up(store, "10:00:00", "10:04:00", "10:08:00", gpu_class=8, gpus=2, replica=2)
    # Side by side for half a minute: the first replica is busy for 90 of its 480 seconds.
    await answered(
        store, "10:01:00", 60, input_tokens=100, cached_input_tokens=40, output_tokens=200, tenant_low=1
    )
    await answered(store, "10:01:30", 60, input_tokens=50, output_tokens=10, outcome=CANCELLED, tenant_low=2)
    await answered(store, "10:02:00", 120, replica=2, input_tokens=500, output_tokens=500, tenant_low=2)


async def test_a_million_tokens_cost_what_the_hour_cost_by_its_whole_answers(store: Store) -> None:
    await a_morning(store)
    columns = (
        "region, model, gpu, currency, replica_seconds, busy_seconds, gpu_seconds, requests, input_tokens,"
        " cached_input_tokens, output_tokens, cancelled_tokens, cost, served_cost, cancelled_cost, idle_cost,"
        " cost_per_million_tokens, cost_per_million_output_tokens"
    )
    # 480 s at 1.80 an hour are 0.24, of which 90 s are 0.045; 60 of 320 computed tokens were for nobody.
    cheap = ("eu-fr", "m", "l40s", "EUR", 480, 90, 480, 2, 100, 40, 200, 60)
    cheap_cost = (0.24, 0.0365625, 0.0084375, 0.195, 800, 1200)
    # Two at 3.60 are 0.96 for 480 s, a quarter of which was busy.
    dear = ("eu-fr", "m", "h100", "EUR", 480, 120, 960, 1, 500, 0, 500, 0)
    dear_cost = (0.96, 0.24, 0, 0.72, 960, 1920)
    assert await cost(store, columns) == [(*cheap, *cheap_cost), (*dear, *dear_cost)]


async def test_a_tenant_pays_for_what_was_computed_for_it_and_nobody_for_what_was_idle(store: Store) -> None:
    await a_morning(store)
    rows = await store.rows(
        "SELECT tenant, requests, output_tokens, cancelled_tokens, round(served_cost, 9),"
        " round(cancelled_cost, 9), round(idle_cost, 9), round(cost, 9)"
        " FROM DATABASE.cost_by_tenant_day ORDER BY tenant"
    )
    assert rows == [
        ("", 0, 0, 0, 0, 0, 0.915, 0.915),
        (f"{1:032x}", 1, 200, 0, 0.0365625, 0, 0, 0.0365625),
        (f"{2:032x}", 2, 500, 60, 0.24, 0.0084375, 0, 0.2484375),
    ]


async def test_what_comes_again_from_the_log_changes_no_view(store: Store) -> None:
    await a_morning(store)
    views = (
        "cost_per_million_tokens",
        "cost_by_tenant_day",
        "replica_hours",
        "queue_and_headroom",
        "usage_by_tenant_day",
    )
    queries = [f"SELECT * FROM DATABASE.{view}" for view in views]  # noqa: S608 - names of ours
    before = [await store.rows(query) for query in queries]
    await store.come_again()
    assert [await store.rows(query) for query in queries] == before
    assert all(before)


async def test_seconds_belong_to_their_hour_and_a_long_silence_is_not_paid(store: Store) -> None:
    await store.declare(CHEAP)
    await up(store, "10:58:00", "11:02:00", "11:07:00", "11:12:01", "11:12:11", gpu_class=7)
    await answered(store, "10:59:00", 120, output_tokens=100)
    columns = "toHour(hour), replica_seconds, busy_seconds, cost, output_tokens"
    # Five minutes are a restart; a second more, and the accelerator was given back.
    assert await cost(store, columns, "ORDER BY hour") == [(10, 120, 60, 0.06, 100), (11, 430, 60, 0.215, 0)]


async def test_an_old_day_keeps_its_price(store: Store) -> None:
    await store.declare(CHEAP)
    later = CHEAP.model_copy(update={"price_per_hour": 18.0, "since": yesterday("10:04:00")})
    await store.declare(later)
    await up(store, "10:00:00", "10:04:00", "10:08:00", gpu_class=7)
    assert await cost(store, "cost") == [(1.32,)]
    await store.declare(later)
    listed = await store.rows(
        "SELECT gpu, price_per_hour, currency, toUnixTimestamp(since) FROM DATABASE.gpu_price_list"
    )
    assert listed == [
        ("l40s", 1.8, "EUR", 0),
        ("l40s", 18, "EUR", int(yesterday("10:04:00").timestamp())),
    ]


async def test_without_a_price_or_a_sample_there_is_no_cost_and_not_one_of_zero(store: Store) -> None:
    await store.declare(CHEAP)
    await up(store, "10:00:00", "10:01:00", gpu_class=9)
    await answered(store, "10:00:10", 1, output_tokens=5)
    await answered(store, "12:00:00", 1, output_tokens=5, replica=3)
    columns = "toHour(hour), gpu, currency, unpriced_gpu_seconds, output_tokens"
    costs = "cost, idle_cost, cost_per_million_tokens"
    assert await cost(store, f"{columns}, {costs}", "ORDER BY hour") == [
        (10, "9", "", 60, 5, None, None, None),
        (12, "0", "", 0, 5, None, None, None),
    ]
    tenants = await store.rows("SELECT cost, sum(requests) FROM DATABASE.cost_by_tenant_day GROUP BY cost")
    assert tenants == [(None, 2)]


async def test_batch_saves_what_its_seconds_cost_more_where_others_were_served(store: Store) -> None:
    await store.declare(CHEAP, DEAR)
    await up(store, "10:00:00", "10:05:00", gpu_class=7)
    await up(store, "10:00:00", "10:05:00", gpu_class=8, replica=2)
    await answered(store, "10:01:00", 100, priority=BATCH, output_tokens=300)
    await answered(store, "10:01:00", 100, output_tokens=100)
    await answered(store, "10:01:00", 100, replica=2, output_tokens=100)
    # Three quarters of 100 s at 1.80 in place of 3.60.
    assert await cost(store, "gpu, batch_cost, batch_saved") == [("l40s", 0.0375, 0.0375), ("h100", 0, 0)]


async def test_any_morning_costs_what_counting_its_seconds_says(store: Store) -> None:
    random = Random(20261127)
    await store.declare(CHEAP, DEAR)
    expected = {7: 0.0, 8: 0.0}
    busy: dict[int, set[int]] = {7: set(), 8: set()}
    begin = yesterday("10:00:00")
    for gpu_class, price in ((7, 1.8), (8, 3.6)):
        moments = sorted(random.sample(range(3_500), 25))
        for moment in moments:
            at = begin + timedelta(seconds=moment)
            await store.happened(
                Kind.REPLICA_LOAD, at, model=1, replica=gpu_class, gpu_class=gpu_class, gpus=2
            )
        gaps = [later - earlier for earlier, later in pairwise(moments)]
        expected[gpu_class] = sum(gap for gap in gaps if gap <= 300) * 2 * price / 3600
        for _answer in range(12):
            first, length = random.randrange(3_000), random.randrange(1, 200)
            busy[gpu_class] |= set(range(first, first + length))
            at = begin + timedelta(seconds=first)
            await store.happened(
                Kind.GENERATION,
                at,
                model=1,
                replica=gpu_class,
                duration_microseconds=length * SECOND,
                output_tokens=1,
            )
    found = {
        number: (paid, seconds)
        for number, paid, seconds in await cost(store, "gpu_class, cost, busy_seconds")
    }
    assert found == {number: (pytest.approx(expected[number]), len(busy[number])) for number in (7, 8)}
    parts = await store.rows("SELECT sum(cost) FROM DATABASE.cost_by_tenant_day")
    assert parts[0][0] == pytest.approx(sum(expected.values()))


async def test_a_request_before_the_first_sample_leaves_the_day_its_cost(store: Store) -> None:
    await store.declare(CHEAP)
    await answered(store, "09:59:58", 1, output_tokens=5, tenant_low=1)
    await up(store, "10:00:00", "10:05:00", gpu_class=7)
    await answered(store, "10:01:00", 30, output_tokens=15, tenant_low=1)
    rows = await store.rows(
        "SELECT tenant, requests, round(cost, 9) FROM DATABASE.cost_by_tenant_day ORDER BY tenant"
    )
    assert rows == [("", 0, 0.135), (f"{1:032x}", 2, 0.015)]
