"""Prompts that do not fit in a replica's free blocks go to another one, or wait until one has room."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import httpx
import pytest

from tests.system.serving_processes import MODEL, ServingProcesses

pytestmark = pytest.mark.system

# Room for one of the prompts below with its answer, and not for two. A token of this engine is a byte.
_ITL_SECONDS: Final = 0.02
_ENGINE: Final = {"kv_blocks": 64, "itl_seconds": _ITL_SECONDS}
_PROMPT_BYTES: Final = 700
_ANSWER_TOKENS: Final = 100
# From so many answers the router learns how many tokens a byte is; a third of them would do.
_LEARNED_FROM: Final = 12
_WAIT_SECONDS: Final = 60.0


@asynccontextmanager
async def _serving(folder: Path) -> AsyncIterator[tuple[ServingProcesses, httpx.AsyncClient]]:
    processes = ServingProcesses(folder, replicas=2, generator={"simulated": _ENGINE})
    try:
        await processes.start()
        await processes.until_replicas(["ready"] * 2)
        headers = {"authorization": f"Bearer {await processes.key('acme')}"}
        async with httpx.AsyncClient(
            base_url=processes.base_url, headers=headers, timeout=_WAIT_SECONDS
        ) as client:
            yield processes, client
    finally:
        await processes.stop()


async def test_of_three_long_prompts_two_have_a_replica_each_and_the_third_waits_for_the_first_that_ends(
    tmp_path: Path,
) -> None:
    async with _serving(tmp_path) as (processes, client), asyncio.timeout(_WAIT_SECONDS):
        for number in range(_LEARNED_FROM):
            await _text_began(client, str(number), 1)
        await processes.until_in_flight([0, 0])
        sent_seconds = time.monotonic()
        answers = [asyncio.create_task(_text_began(client, name, _ANSWER_TOKENS)) for name in "abc"]
        seen = Counter[tuple[int, ...]]()
        while not any(answer.done() for answer in answers):
            seen[tuple(await processes.in_flight())] += 1
            await asyncio.sleep(0.02)
        began_seconds = await asyncio.gather(*answers)
    # While the two are answered no replica has the third, which would wait in its engine's queue. For a
    # moment before that they come, and for one after that the third is there beside one that ends.
    assert seen.most_common(1)[0][0] == (1, 1), seen
    # However late callers hear of it, no answer ends before each of its tokens had its step.
    assert max(began_seconds) - sent_seconds >= _ANSWER_TOKENS * _ITL_SECONDS, began_seconds


async def _text_began(client: httpx.AsyncClient, name: str, tokens: int) -> float:
    """When the first text of an answer came, which is read to its end."""
    text = f"{name} " * (_PROMPT_BYTES // (len(name) + 1))
    body = {
        "model": MODEL,
        "max_tokens": tokens,
        "stream": True,
        "messages": [{"role": "user", "content": text}],
    }
    began_seconds = 0.0
    async with client.stream("POST", "/v1/chat/completions", json=body) as answer:
        assert answer.status_code == 200, await answer.aread()
        async for line in answer.aiter_lines():
            if line.startswith("data: {") and _text_of(line):
                began_seconds = began_seconds or time.monotonic()
    assert began_seconds
    return began_seconds


def _text_of(line: str) -> str:
    choices = json.loads(line.removeprefix("data: "))["choices"]
    return (choices[0]["delta"].get("content") or "") if choices else ""
