"""In a peak without an end a batch request waits to its deadline and is served then; others pass it."""

import asyncio
import time
from pathlib import Path
from typing import Any, Final

import openai
import pytest

from tests.system.serving_processes import MODEL, ServingProcesses

pytestmark = pytest.mark.system

DEADLINE_SECONDS: Final = 4.0
MESSAGES: Any = [{"role": "user", "content": "Écris un bref compte rendu."}]
# One follows the other, whatever the time of day.
ALWAYS: Final = [
    {"begins_at": "00:00", "ends_at": "12:00", "time_zone": "UTC"},
    {"begins_at": "12:00", "ends_at": "00:00", "time_zone": "UTC"},
]
BATCH: Final = {"peak_windows": ALWAYS, "deadline_seconds": DEADLINE_SECONDS}
ENGINE: Final = {"simulated": {"ttft_seconds": 0.01, "answer_tokens": 4}}


async def test_batch_is_served_at_its_deadline_in_a_peak_too(tmp_path: Path) -> None:
    router = {"hold_seconds": 120, "batch": BATCH}
    processes = ServingProcesses(tmp_path, router=router, generator=ENGINE)
    try:
        await processes.start()
        await processes.until_replicas(["ready"])
        key = await processes.key("acme")
        async with openai.AsyncOpenAI(
            base_url=f"{processes.base_url}/v1", api_key=key, max_retries=0, timeout=150
        ) as client:
            began_seconds = time.monotonic()
            batch = asyncio.create_task(_tier(client, "flex"))
            assert await _tier(client, "default") == "default"
            assert await batch == "flex"
            assert time.monotonic() - began_seconds >= DEADLINE_SECONDS
    finally:
        await processes.stop()


async def _tier(client: openai.AsyncOpenAI, tier: Any) -> str | None:
    answer = await client.chat.completions.create(model=MODEL, messages=MESSAGES, service_tier=tier)
    return answer.service_tier
