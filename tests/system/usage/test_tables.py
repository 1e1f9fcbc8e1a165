"""Event tables follow the messages, on the real engine: made, given columns, widened, and never narrowed."""

from collections.abc import Callable, Mapping

import pytest

from pipelines.usage.adapters import clickhouse_tables
from pipelines.usage.domain.errors import SchemaError
from pipelines.usage.wire import columns_of
from services.contract.events import Kind
from tests.system.usage.store import Store, frame

pytestmark = pytest.mark.system

OUTCOME = columns_of(Kind.GENERATION)["outcome"]
LATER_OUTCOME = OUTCOME.replace(")", ", 'of_tomorrow' = 10)")


@pytest.fixture
def build(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Makes this build one whose generations have these columns, besides or instead of its own."""

    def is_one_with(**columns: str) -> None:
        def changed(kind: Kind) -> Mapping[str, str]:
            return {**columns_of(kind), **(columns if kind is Kind.GENERATION else {})}

        monkeypatch.setattr(clickhouse_tables, "columns_of", changed)

    return is_one_with


@pytest.mark.parametrize("kind", list(Kind))
async def test_a_kind_without_a_table_gets_one_that_takes_its_events_and_counts_them(
    store: Store, kind: Kind
) -> None:
    await store.command(f"DROP TABLE DATABASE.{kind.table} SYNC")
    await store.apply()
    twice = frame(kind)
    await store.frames.insert(twice)
    await store.frames.insert(twice)
    counted = await store.rows(
        "SELECT kind, stored_rows, double_rows, missing_rows FROM DATABASE.completeness"
    )
    assert counted == [(kind.label, 3, 0, 0)]
    types = {name: await store.type_of(kind.table, name) for name in columns_of(kind)}
    assert types == columns_of(kind)


async def test_a_request_that_was_admitted_again_is_one_admitted_request(store: Store) -> None:
    same: dict[str, int] = {"request_id_high": 5, "request_id_low": 6}
    await store.frames.insert(frame(Kind.ADMISSION, count=2, **same))
    columns = "admitted_requests, ended_requests, open_requests, unadmitted_requests"
    query = f"SELECT {columns} FROM DATABASE.reconciliation_by_hour"  # noqa: S608 - names of ours
    assert await store.rows(query) == [(1, 0, 1, 0)]
    await store.frames.insert(frame(Kind.GENERATION, count=1, **same))
    assert await store.rows(query) == [(1, 1, 0, 0)]


async def test_an_enum_takes_a_new_name_and_every_view_shows_it(
    store: Store, build: Callable[..., None]
) -> None:
    await store.frames.insert(frame())
    build(outcome=LATER_OUTCOME)
    await store.apply()
    await store.frames.insert(frame(first=4, count=1, outcome=10))
    shown = await store.rows("SELECT outcome, requests FROM DATABASE.usage_by_day")
    assert shown == [("stop", 3), ("of_tomorrow", 1)]


async def test_usage_by_tenant_knows_a_tenant_by_its_pseudonym_and_epoch(store: Store) -> None:
    await store.frames.insert(frame(count=2, tenant_high=1, tenant_low=0xAB, key_epoch=3, output_tokens=7))
    await store.frames.insert(frame(first=3, count=1, tenant_high=2, tenant_low=0xAB, key_epoch=3))
    columns = "region, model, tenant, key_epoch, requests, output_tokens"
    shown = await store.rows(f"SELECT {columns} FROM DATABASE.usage_by_tenant")  # noqa: S608 - names of ours
    assert [row[:5] for row in shown] == [
        ("eu-fr", "m", "000000000000000100000000000000ab", 3, 2),
        ("eu-fr", "m", "000000000000000200000000000000ab", 3, 1),
    ]
    assert [row[5] for row in shown] == [14, 0]


async def test_an_earlier_build_takes_no_name_away_and_goes_on(
    store: Store, build: Callable[..., None]
) -> None:
    build(outcome=LATER_OUTCOME)
    await store.apply()
    build()
    await store.apply()
    assert await store.type_of("generations", "outcome") == LATER_OUTCOME
    await store.frames.insert(frame())


async def test_a_store_whose_numbers_mean_something_else_is_refused_and_stays(
    store: Store, build: Callable[..., None]
) -> None:
    build(outcome=OUTCOME.replace("'stop'", "'halt'"))
    with pytest.raises(SchemaError, match=r"generations\.outcome"):
        await store.apply()
    assert await store.type_of("generations", "outcome") == OUTCOME


async def test_a_new_field_gets_its_column_where_rows_have_the_value_of_absence(
    store: Store, build: Callable[..., None]
) -> None:
    await store.frames.insert(frame())
    build(spare_tokens="UInt32", spare="Enum8('none' = 0, 'some' = 1)")
    await store.apply()
    await store.apply()
    assert await store.rows("SELECT DISTINCT spare_tokens, spare FROM DATABASE.generations") == [(0, "none")]


async def test_a_new_field_that_absence_says_nothing_of_is_refused(
    store: Store, build: Callable[..., None]
) -> None:
    build(spare="Enum8('some' = 1)")
    with pytest.raises(SchemaError, match=r"generations has rows without spare"):
        await store.apply()


async def test_a_new_kind_and_a_new_fault_can_be_written_down(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    for table, column, wanted in clickhouse_tables.ENUMS_BESIDE:
        later = wanted.replace(")", ", 'of_tomorrow' = 101)")
        monkeypatch.setattr(clickhouse_tables, "ENUMS_BESIDE", [(table, column, later)])
        await store.apply()
        assert await store.type_of(table, column) == later


async def test_no_view_holds_an_enum_that_it_would_not_learn_a_new_name_of(store: Store) -> None:
    found = await store.rows(
        "SELECT table, name FROM system.columns WHERE database = 'DATABASE' AND type LIKE '%Enum%'"
        " AND table IN (SELECT name FROM system.tables WHERE database = 'DATABASE' AND engine = 'View')"
    )
    assert found == []


async def test_the_speed_of_several_choices_is_that_of_the_longest_and_old_rows_count_as_one(
    store: Store,
) -> None:
    second = {"ttft_microseconds": 1_000_000, "duration_microseconds": 2_000_000, "outcome": 1}
    several = {"output_tokens": 81, "longest_choice_tokens": 11, "model": 1}
    for answer in (several, {"output_tokens": 41, "model": 2}):
        await store.frames.insert(frame(Kind.GENERATION, **answer, **second))
    query = "SELECT model, round(tps_per_request_p50) FROM DATABASE.latency_by_hour ORDER BY model"
    assert await store.rows(query) == [("2", 40), ("m", 10)]


async def test_an_hour_without_a_first_token_has_no_time_to_it_and_no_speed(store: Store) -> None:
    vectors = {"duration_microseconds": 2_000_000, "outcome": 1, "model": 1}
    text = {"output_tokens": 1, "ttft_microseconds": 1_000_000, "outcome": 1, "model": 2}
    for generation in (vectors, text):
        await store.frames.insert(frame(Kind.GENERATION, **generation))
    query = (
        "SELECT model, ttft_p50_seconds, ttft_p99_seconds, tps_per_request_p50"
        " FROM DATABASE.latency_by_hour ORDER BY model"
    )
    assert await store.rows(query) == [("2", 1, 1, None), ("m", None, None, None)]


async def test_refusals_that_are_one_row_count_as_many_as_they_stand_for(store: Store) -> None:
    for refusal in ({"reason": 1, "requests": 60}, {"reason": 39, "requests": 9_940}, {"reason": 1}):
        await store.frames.insert(frame(Kind.ADMISSION, **{"decision": 2, **refusal}))
    query = "SELECT region, reason, requests, events FROM DATABASE.refusals_by_hour ORDER BY reason"
    # Three rows of each.
    assert await store.rows(query) == [
        ("eu-fr", "key_invalid", 3 * 61, 3 * 2),
        ("eu-fr", "too_many_wrong_keys", 3 * 9_940, 3),
    ]
