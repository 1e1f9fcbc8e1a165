"""A release becomes this tree under load, and comes back: no request fails, and each is counted once."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import clickhouse_connect
import pytest

from pipelines.usage.adapters.clickhouse_schema import read_migrations
from tests.postgres import postgres_server
from tests.system.asking import Failure, WholeAnswer, ask
from tests.system.clickhouse_process import ClickHouseProcess
from tests.system.kafka_process import KafkaProcess
from tests.system.serving_processes import MODEL
from tests.system.stack_process import request_id_of
from tests.upgrade.released_region import GENERATORS, ROUTERS, ReleasedRegion
from tests.upgrade.releases import EARLIEST

pytestmark = [pytest.mark.system, pytest.mark.alone, pytest.mark.timeout(600)]

CALLERS: Final = 4
TENANT: Final = "acme"
TABLES: Final = ("generations", "admissions", "edge_requests", "replica_load")
WAIT_SECONDS: Final = 120.0

Seen = list[WholeAnswer | Failure]


@asynccontextmanager
async def released_region(folder: Path, code: Path) -> AsyncIterator[ReleasedRegion]:
    """A region of a release, on stores of this tree's: those are not ours to ship."""
    kafka, clickhouse = KafkaProcess(folder), ClickHouseProcess(folder)
    with postgres_server() as server, server.database() as database:
        region = ReleasedRegion(folder, code, database, kafka, clickhouse)
        try:
            await asyncio.gather(*map(asyncio.to_thread, (kafka.start, clickhouse.start)))
            await region.start()
            yield region
        finally:
            await region.stop()
            clickhouse.stop()
            kafka.stop()


@asynccontextmanager
async def load(region: ReleasedRegion) -> AsyncIterator[Seen]:
    """Callers with the official SDK, for as long as the block lasts, and what they saw."""
    seen: Seen = []
    is_over = asyncio.Event()

    async def call() -> None:
        while not is_over.is_set():
            seen.append(await ask(region.client(), MODEL, output_tokens=100))

    async with asyncio.TaskGroup() as callers:
        for _ in range(CALLERS):
            callers.create_task(call())
        try:
            yield seen
        finally:
            is_over.set()


async def served(seen: Seen) -> None:
    """Returns once whatever runs now has answered every caller, from the first token to the last."""
    wanted = len(seen) + 2 * CALLERS
    async with asyncio.timeout(WAIT_SECONDS):
        while len(seen) < wanted:  # noqa: ASYNC110 - callers tell nobody
            await asyncio.sleep(0.05)


def rows(region: ReleasedRegion, query: str) -> list[dict[str, Any]]:
    with clickhouse_connect.get_client(dsn=region.store_url, autogenerate_session_id=False) as client:
        return list(client.query(query).named_results())


async def upgrade(region: ReleasedRegion, seen: Seen) -> None:
    """In the order of docs/upgrade.md, one after the other, while callers ask whatever is old and new."""
    for name in ("usage", "emitter", *reversed(GENERATORS), *reversed(ROUTERS)):
        await region.replace(name, None)
        await served(seen)
    for _ in range(2):
        await region.replace_edge(None)
        await served(seen)


async def roll_back(region: ReleasedRegion, seen: Seen, code: Path) -> None:
    """The other way round, one of each; the pipeline stays, as its page says."""
    await region.replace_edge(code)
    for name in (ROUTERS[-1], GENERATORS[-1], "emitter"):
        await region.replace(name, code)
        await served(seen)
    if len(list((code / "pipelines/usage/schema").glob("*.sql"))) < len(read_migrations()):
        status, said = await region.refusal("usage", code)
        assert status != 0
        assert "the store's schema is newer than this build" in said
        await region.replace("usage", None)


def not_as_answered(region: ReleasedRegion, answers: dict[str, tuple[int, int]]) -> dict[str, Any]:
    """What of the rows is not as the callers saw it, or is not numbered without gaps."""
    counts = rows(
        region,
        "SELECT request_id_high, request_id_low, input_tokens, output_tokens FROM comptoir.generations",
    )
    admissions = rows(
        region,
        "SELECT request_id_high, request_id_low FROM comptoir.admissions WHERE decision = 'admitted'",
    )
    counted = [(request_id_of(row), (row["input_tokens"], row["output_tokens"])) for row in counts]
    found = {
        "counts": difference(counted, list(answers.items())),
        "admissions": difference(map(request_id_of, admissions), list(answers)),
        "gaps": [gap for table in TABLES for gap in gaps(region, table)],
    }
    return {name: wrong for name, wrong in found.items() if wrong}


def difference(some: Iterable[Any], others: list[Any]) -> list[Any]:
    """What is in one of both only, or not as often in the other."""
    one, other = Counter(some), Counter(others)
    return [*(one - other).elements(), *(other - one).elements()]


def gaps(region: ReleasedRegion, table: str) -> list[dict[str, Any]]:
    """Producers whose events are not numbered from 1 without gaps, each once."""
    found = rows(
        region,
        "SELECT producer_id, count() AS rows, uniqExact(producer_sequence) AS numbers, "  # noqa: S608
        f"max(producer_sequence) AS last FROM comptoir.{table} GROUP BY producer_id",
    )
    return [row for row in found if not row["rows"] == row["numbers"] == row["last"]]


async def all_is_counted(region: ReleasedRegion, answers: dict[str, tuple[int, int]]) -> None:
    async with asyncio.timeout(WAIT_SECONDS) as bound:
        while wrong := await asyncio.to_thread(not_as_answered, region, answers):
            await asyncio.sleep(0.2)
            assert not bound.expired(), wrong


async def test_a_release_becomes_this_tree_and_comes_back_without_a_failure_and_with_all_counts(
    tmp_path: Path,
) -> None:
    code = EARLIEST.unpack(tmp_path / "release")
    async with released_region(tmp_path, code) as region:
        await region.add_edges(await region.key(TENANT))
        async with load(region) as seen:
            await served(seen)
            await upgrade(region, seen)
            await roll_back(region, seen, code)
        assert [one for one in seen if isinstance(one, Failure)] == []
        answers = {
            one.request_id: (one.input_tokens, one.output_tokens)
            for one in seen
            if isinstance(one, WholeAnswer)
        }
        assert len(answers) == len(seen)
        await all_is_counted(region, answers)
        used = sum(input_tokens + output_tokens for input_tokens, output_tokens in answers.values())
        assert await region.spent_tokens(TENANT) == used
