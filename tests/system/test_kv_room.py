"""Prompts that do not fit in a replica's free blocks go to another one, or wait until one has room."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import httpx
import pytest

from tests.system.serving_processes import MODEL, ServingProcesses

pytestmark = pytest.mark.system

# Room for one of the prompts below with its answer, and not for two. A token of this engine is a byte.
_ENGINE: Final = {"kv_blocks": 64, "itl_seconds": 0.02}
_PROMPT_BYTES: Final = 700
_ANSWER_TOKENS: Final = 100
# From so many answers the router learns how many tokens a byte is; a third of them would do.
_LEARNED_FROM: Final = 12
_WAIT_SECONDS: Final = 60.0


@asynccontextmanager
async def _serving(folder: Path) -> AsyncIterator[httpx.AsyncClient]:
    processes = ServingProcesses(folder, replicas=2, generator={"simulated": _ENGINE})
    try:
        await processes.start()
        await processes.until_replicas(["ready"] * 2)
        headers = {"authorization": f"Bearer {await processes.key('acme')}"}
        async with httpx.AsyncClient(
            base_url=processes.base_url, headers=headers, timeout=_WAIT_SECONDS
        ) as client:
            yield client
    finally:
        await processes.stop()


async def test_of_three_long_prompts_two_have_a_replica_each_and_the_third_waits_for_the_first_that_ends(
    tmp_path: Path,
) -> None:
    async with _serving(tmp_path) as client, asyncio.timeout(_WAIT_SECONDS):
        for number in range(_LEARNED_FROM):
            await _asked(client, str(number), 1, [])
        events: list[tuple[str, str]] = []
        await asyncio.gather(*(_asked(client, name, _ANSWER_TOKENS, events) for name in "abc"))
    order = [event for _, event in events]
    # Two on one replica would be three beginnings before an end, and one of them preempted. The end of an
    # answer reaches its caller when it is recorded, half of it a second before the next one can begin.
    third = [place for place, event in enumerate(order) if event == "began"][2]
    assert order.index("half made") < third, events


async def _asked(client: httpx.AsyncClient, name: str, tokens: int, events: list[tuple[str, str]]) -> None:
    text = f"{name} " * (_PROMPT_BYTES // (len(name) + 1))
    body = {
        "model": MODEL,
        "max_tokens": tokens,
        "stream": True,
        "messages": [{"role": "user", "content": text}],
    }
    length = 0
    async with client.stream("POST", "/v1/chat/completions", json=body) as answer:
        assert answer.status_code == 200, await answer.aread()
        async for line in answer.aiter_lines():
            if line.startswith("data: {"):
                before, length = length, length + len(_text_of(line))
                events += [(name, "began")] if before == 0 < length else []
                events += [(name, "half made")] if before < tokens // 2 <= length else []


def _text_of(line: str) -> str:
    choices = json.loads(line.removeprefix("data: "))["choices"]
    return (choices[0]["delta"].get("content") or "") if choices else ""
