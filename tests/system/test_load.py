"""64 streams for a minute: no error, every row present, memory flat."""

import asyncio
import time
from typing import Any

import psutil
import pytest

from tests.system.stack_process import Stack, eventually, request_id_of

pytestmark = [pytest.mark.system, pytest.mark.alone]

STREAMS = 64
SECONDS = 60.0
# A process may still grow by this much after its first fifteen seconds: caches fill, arenas settle.
GROWTH_BYTES = 64 * 1024 * 1024
# On a CPU the engine's KV cache is memory that becomes resident page by page, as its blocks are first used.
ENGINE = "generator's children"
KV_CACHE_BYTES = 256 * 1024 * 1024
MESSAGES: Any = [{"role": "user", "content": "Write a short report on the visit."}]


async def _keep_asking(stack: Stack, client: Any, until: float) -> list[str]:
    request_ids = []
    while time.monotonic() < until:
        response = await client.chat.completions.with_raw_response.create(
            model=stack.model, messages=MESSAGES, stream=True
        )
        finish_reasons = [chunk.choices[0].finish_reason async for chunk in response.parse() if chunk.choices]
        assert finish_reasons[-1] in {"stop", "length"}
        request_ids.append(response.headers["x-request-id"])
    return request_ids


def _memory_bytes(stack: Stack) -> dict[str, int]:
    """Resident memory of each process, and of what it started."""
    found = {}
    for entry in stack.status()["processes"]:
        process = psutil.Process(entry["pid"])
        found[entry["name"]] = process.memory_info().rss
        children = process.children(recursive=True)
        found[f"{entry['name']}'s children"] = sum(child.memory_info().rss for child in children)
    return found


async def _run(stack: Stack) -> tuple[list[str], dict[str, int], dict[str, int]]:
    until = time.monotonic() + SECONDS
    async with stack.async_client(timeout=60, max_retries=0) as client:
        asking = asyncio.gather(*(_keep_asking(stack, client, until) for _ in range(STREAMS)))
        await asyncio.wait([asking], timeout=SECONDS / 4)
        early = await asyncio.to_thread(_memory_bytes, stack)
        await asyncio.wait([asking], timeout=SECONDS / 2)
        late = await asyncio.to_thread(_memory_bytes, stack)
        return [request_id for part in await asking for request_id in part], early, late


@pytest.mark.timeout(300)
def test_64_streams_for_a_minute_lose_nothing_and_leak_nothing(stack: Stack) -> None:
    request_ids, early, late = asyncio.run(_run(stack))
    assert len(request_ids) > STREAMS
    wanted = set(request_ids)
    query = "SELECT request_id_high, request_id_low FROM comptoir.{table:Identifier}"
    for table in ("generations", "admissions"):

        def stored(table: str = table) -> list[str]:
            found = [request_id_of(row) for row in stack.rows(query, table=table)]
            return sorted(request_id for request_id in found if request_id in wanted)

        eventually(stored, lambda found: found == sorted(wanted), 60)
    assert early[ENGINE] > 0
    growth = {name: late[name] - early[name] for name in early}
    growth[ENGINE] -= KV_CACHE_BYTES
    assert {name: size for name, size in growth.items() if size > GROWTH_BYTES} == {}
