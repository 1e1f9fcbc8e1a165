"""Latency by class, steady windows, load, errors and usage, on the real engine, of rows reckoned by hand."""

from datetime import timedelta

import pytest

from services.contract.events import Kind
from services.kernel.reasons import Reason
from tests.system.usage.store import Store, yesterday

pytestmark = pytest.mark.system

VIEWS = (
    "measured_generations",
    "kv_predictions",
    "latency_by_minute",
    "latency_by_hour",
    "slo_ttft",
    "queue_and_headroom",
    "errors_by_reason",
    "usage_by_tenant_day",
    "replica_hours",
    "gpu_price_list",
    "cost_per_million_tokens",
    "cost_by_tenant_day",
)


async def test_every_column_of_every_view_for_people_says_what_it_is(store: Store) -> None:
    silent = await store.rows(
        "SELECT table, name FROM system.columns WHERE database = 'DATABASE' AND comment = ''"  # noqa: S608 - ours
        f" AND table IN {VIEWS}"
    )
    assert silent == []
    known = await store.rows(
        "SELECT uniq(table) FROM system.columns"  # noqa: S608 - names of ours
        f" WHERE database = 'DATABASE' AND table IN {VIEWS}"
    )
    assert known == [(len(VIEWS),)]


async def test_latency_has_a_row_for_each_class_with_the_time_per_token(store: Store) -> None:
    for minute, priority, ttft in (("10:00:10", 0, 1), ("10:00:20", 10, 2), ("10:01:00", 0, 3)):
        await store.happened(
            Kind.GENERATION,
            yesterday(minute),
            model=1,
            priority=priority,
            output_tokens=11,
            ttft_microseconds=ttft * 1_000_000,
            duration_microseconds=(ttft + 5) * 1_000_000,
            outcome=1,
        )
    columns = "priority, requests, ttft_p50_seconds, tpot_p50_seconds, tps_per_request_p50, output_tokens"
    query = f"SELECT {{}}, {columns} FROM DATABASE.{{}}"  # noqa: S608 - names of ours
    by_minute = await store.rows(query.format("toMinute(minute)", "latency_by_minute"))
    assert by_minute == [
        (0, "default", 1, 2, 0.5, 2, 11),
        (0, "interactive", 1, 1, 0.5, 2, 11),
        (1, "interactive", 1, 3, 0.5, 2, 11),
    ]
    by_hour = await store.rows(query.format("toHour(hour)", "latency_by_hour"))
    assert by_hour == [(10, "default", 1, 2, 0.5, 2, 11), (10, "interactive", 2, 1, 0.5, 2, 22)]


async def test_only_windows_at_a_steady_rate_are_held_against_the_target(store: Store) -> None:
    await store.declare(ttft_p95_target_seconds=1.5)
    # Requests of each window, and their time to first token: the first has none before it, the third is a
    # jump, the sixth follows an empty one, the seventh has too few.
    windows = [(25, 1), (25, 2), (90, 2), (95, 1), (0, 0), (95, 2), (19, 2)]
    for number, (requests, seconds) in enumerate(windows):
        if requests:
            at = yesterday("10:00:00") + timedelta(minutes=5 * number)
            ttft = seconds * 1_000_000
            await store.happened(
                Kind.GENERATION, at, count=requests, model=1, ttft_microseconds=ttft, outcome=1
            )
    rows = await store.rows(
        "SELECT model, priority, windows, steady_windows, steady_windows_over_target, share_over_target,"
        " target_seconds FROM DATABASE.slo_ttft"
    )
    assert rows == [("m", "interactive", 6, 2, 1, 0.5, 1.5)]


async def test_load_says_the_queue_the_cache_and_the_free_memory_of_each_replica(store: Store) -> None:
    for clock, waiting, usage, free in (
        ("10:00:00", 4, 500, 9),
        ("10:00:10", 0, 100, 7),
        ("10:01:00", 1, 0, 0),
    ):
        await store.happened(
            Kind.REPLICA_LOAD,
            yesterday(clock),
            model=1,
            replica=3,
            waiting_requests=waiting,
            running_requests=2,
            kv_usage_permille=usage,
            accelerator_free_bytes=free,
            output_tokens=10,
        )
    rows = await store.rows(
        "SELECT region, model, replica, toMinute(minute), samples, waiting_requests_max,"
        " waiting_requests_avg, kv_usage_max, kv_usage_avg, accelerator_free_bytes_min, output_tokens"
        " FROM DATABASE.queue_and_headroom"
    )
    assert rows == [
        ("eu-fr", "m", 3, 0, 2, 4, 2, 0.5, 0.3, 7, 20),
        ("eu-fr", "m", 3, 1, 1, 1, 1, 0, 0, None, 10),
    ]


async def test_predicted_blocks_stand_beside_actual_ones_and_unknown_is_not_zero(store: Store) -> None:
    for clock, predicted, actual, outcome in (
        ("10:00:00", 10, 12, 1),
        ("10:00:01", 10, 5, 4),
        ("10:00:02", 0, 7, 1),
        ("10:00:03", 4, 0, 1),
    ):
        await store.happened(
            Kind.GENERATION,
            yesterday(clock),
            model=1,
            replica=3,
            predicted_kv_blocks=predicted,
            actual_kv_blocks=actual,
            outcome=outcome,
        )
    rows = await store.rows(
        "SELECT model, replica, is_whole, predicted_kv_blocks, actual_kv_blocks, actual_per_predicted"
        " FROM DATABASE.kv_predictions ORDER BY started_at"
    )
    assert rows == [
        ("m", 3, 1, 10, 12, 1.2),
        ("m", 3, 0, 10, 5, 0.5),
        ("m", 3, 1, None, 7, None),
        ("m", 3, 1, 4, None, None),
    ]


async def test_errors_are_told_by_each_part_and_count_what_their_rows_stand_for(store: Store) -> None:
    at = yesterday("10:00:00")
    await store.happened(Kind.ADMISSION, at, decision=2, reason=int(Reason.KEY_INVALID), model=0, requests=60)
    await store.happened(Kind.ADMISSION, at, decision=1, model=1)
    await store.happened(Kind.GENERATION, at, outcome=4, model=1)
    await store.happened(Kind.GENERATION, at, outcome=8, reason=int(Reason.ENGINE_FAILED), model=1)
    await store.happened(
        Kind.EDGE_REQUEST, at, count=2, reason=int(Reason.ENGINE_FAILED), http_status=502, model=1
    )
    await store.happened(Kind.EDGE_REQUEST, at, http_status=200, model=1)
    rows = await store.rows(
        "SELECT told_by, model, reason, outcome, http_status, requests FROM DATABASE.errors_by_reason"
        " ORDER BY told_by, reason"
    )
    assert rows == [
        ("edge", "m", "engine_failed", "", 502, 2),
        ("generator", "m", "client_cancelled", "client_cancelled", 0, 1),
        ("generator", "m", "engine_failed", "engine_failed", 0, 1),
        ("router", "0", "key_invalid", "", 0, 60),
    ]


async def test_usage_of_a_tenant_says_how_much_of_it_was_no_whole_answer(store: Store) -> None:
    own = {
        "model": 1,
        "tenant_high": 1,
        "tenant_low": 0xAB,
        "key_epoch": 3,
        "input_tokens": 10,
        "output_tokens": 5,
    }
    await store.happened(
        Kind.GENERATION, yesterday("10:00:00"), count=2, outcome=1, cached_input_tokens=4, **own
    )
    await store.happened(Kind.GENERATION, yesterday("11:00:00"), outcome=4, **own)
    rows = await store.rows("SELECT * EXCEPT (region, model, day) FROM DATABASE.usage_by_tenant_day")
    assert rows == [("000000000000000100000000000000ab", 3, "interactive", 3, 1, 30, 8, 15, 15)]
