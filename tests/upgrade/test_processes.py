"""Releases become this tree under load, and the last comes back: no failure, and each answer counted once."""

import asyncio
import contextlib
from collections import Counter
from pathlib import Path
from typing import Any, Final

import pytest

from pipelines.usage.adapters.clickhouse_schema import read_migrations
from tests.system.stack_process import request_id_of
from tests.upgrade.load import Seen, load, served, tokens, whole
from tests.upgrade.released_region import ReleasedRegion, released_region
from tests.upgrade.releases import EARLIEST, LATEST

pytestmark = [pytest.mark.system, pytest.mark.alone, pytest.mark.timeout(600)]

TENANT: Final = "acme"
TABLES: Final = ("generations", "admissions", "edge_requests", "replica_load")
WAIT_SECONDS: Final = 120.0


async def upgrade(region: ReleasedRegion, seen: Seen) -> None:
    """In the order of docs/upgrade.md, one after the other, while callers ask whatever is old and new."""
    for name in ("usage", "emitter", *reversed(region.generators), *reversed(region.routers)):
        await region.replace(name, None)
        await served(seen)
    for _ in region.edges:
        await region.replace_edge(None)
        await served(seen)


async def roll_back(region: ReleasedRegion, seen: Seen, code: Path) -> None:
    """The other way round, one of each; the pipeline too, unless the store has become a later one."""
    await region.replace_edge(code)
    for name in (region.routers[-1], region.generators[-1], "emitter"):
        await region.replace(name, code)
        await served(seen)
    if migrations_of(code) == len(read_migrations()):
        await region.replace("usage", code)
        await served(seen)


async def pipeline_stays(region: ReleasedRegion, code: Path) -> None:
    """A pipeline of the release says in a sentence that the store has become a later one, and ends."""
    assert migrations_of(code) < len(read_migrations())
    status, said = await region.refusal("usage", code)
    assert status != 0
    assert "the store's schema is newer than this build" in said
    await region.replace("usage", None)


def migrations_of(code: Path) -> int:
    """How many of the store a release knows; none is ever taken away."""
    return len(list((code / "pipelines/usage/schema").glob("*.sql")))


def not_as_answered(region: ReleasedRegion, answers: dict[str, tuple[int, int]]) -> dict[str, Any]:
    """What of the rows is not as the callers saw it, or is not numbered without gaps.

    A request whose router is replaced, or stands still, before it has said that its admission is on record is
    asked again: another admission, of the same identity, and perhaps another answer, which nobody was shown.
    """
    counts = region.rows(
        "SELECT request_id_high, request_id_low, input_tokens, output_tokens FROM comptoir.generations",
    )
    admissions = region.rows(
        "SELECT request_id_high, request_id_low FROM comptoir.admissions WHERE decision = 'admitted'",
    )
    admitted = Counter(map(request_id_of, admissions))
    counted = Counter((request_id_of(row), (row["input_tokens"], row["output_tokens"])) for row in counts)
    generated = Counter(request_id_of(row) for row in counts)
    found = {
        "not counted": list(answers.items() - counted.keys()),
        "of nobody": [*(generated.keys() - answers.keys()), *(admitted.keys() - answers.keys())],
        "not admitted for": list((generated - admitted).elements()),
        "gaps": [gap for table in TABLES for gap in gaps(region, table)],
    }
    if not region.has_asked_again:
        found["again"] = list((generated - Counter(answers.keys())).elements())
    return {name: wrong for name, wrong in found.items() if wrong}


def gaps(region: ReleasedRegion, table: str) -> list[dict[str, Any]]:
    """Producers whose events are not numbered from 1 without gaps, each once."""
    found = region.rows(
        "SELECT producer_id, count() AS rows, uniqExact(producer_sequence) AS numbers, "  # noqa: S608
        f"max(producer_sequence) AS last FROM comptoir.{table} GROUP BY producer_id",
    )
    return [row for row in found if not row["rows"] == row["numbers"] == row["last"]]


async def all_is_counted(region: ReleasedRegion, seen: Seen) -> None:
    """Waits for it, in the store and in the tenant's month; what is still wrong at the end is told."""
    answers = whole(seen)
    wrong: dict[str, Any] = {"rows": "nobody has looked"}
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(WAIT_SECONDS):
            while wrong := await asyncio.to_thread(not_as_answered, region, answers):  # noqa: ASYNC110
                await asyncio.sleep(0.2)
    assert wrong == {}
    spent_tokens = generated_tokens = -1
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(WAIT_SECONDS):
            # What is reserved counts until its ticket has ended.
            while spent_tokens != generated_tokens or spent_tokens < 0:
                spent_tokens = await region.spent_tokens(TENANT)
                generated_tokens = await asyncio.to_thread(region.generated_tokens)
                await asyncio.sleep(0.2)
    assert spent_tokens == generated_tokens >= tokens(seen)


async def test_the_last_release_becomes_this_tree_and_comes_back_without_a_failure_and_with_all_counts(
    tmp_path: Path,
) -> None:
    code = LATEST.unpack(tmp_path / "release")
    async with released_region(tmp_path, code) as region:
        await region.add_edges(await region.key(TENANT))
        async with load(region) as seen:
            await served(seen)
            await upgrade(region, seen)
            await roll_back(region, seen, code)
        await all_is_counted(region, seen)


async def test_the_earliest_release_becomes_this_tree_with_what_its_stores_hold(tmp_path: Path) -> None:
    code = EARLIEST.unpack(tmp_path / "release")
    async with released_region(tmp_path, code, of_each=1) as region:
        await region.add_edges(await region.key(TENANT))
        async with load(region) as seen:
            await served(seen)
            await upgrade(region, seen)
        await pipeline_stays(region, code)
        await all_is_counted(region, seen)
