"""A budget that is used up is told to the official SDKs as OpenAI tells it, and none of them tries again."""

import asyncio
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openai
import pytest

from services.edge.server.http import watches
from services.kernel.errors import ComptoirError, Numbers, Reason
from tests.services.edge.conftest import CHAT, Stage
from tests.services.edge.scripts import GOOD_KEY

SCRIPT = Path(__file__).parent / "budgets.mjs"
# Of a busy machine.
NODE_SECONDS = 60.0
MIDNIGHT_SECONDS = 1_795_737_600
NUMBERS = Numbers(25_000, 3, 1, is_of_tenant=True, resets_at_seconds=MIDNIGHT_SECONDS, currency="EUR")
SENTENCE = (
    "You exceeded your current quota of money per month for the tenant of this API key: Limit 250.00 EUR, "
    "Used 249.99 EUR, Requested 0.03 EUR. It begins anew at 2026-11-27 00:00:00 UTC."
)
CALLS: dict[str, Callable[[openai.AsyncOpenAI], Any]] = {
    "chat": lambda client: client.chat.completions.create(**CHAT),
    "chat stream": lambda client: client.chat.completions.create(**CHAT, stream=True),
    "completion": lambda client: client.completions.create(model="tiny-eu", prompt="Écris."),
    "response": lambda client: client.responses.create(model="tiny-eu", input="Écris."),
    "embedding": lambda client: client.embeddings.create(model="vectors", input="Écris."),
}


@pytest.fixture
def spent(stage: Stage) -> Stage:
    """A stage whose router refuses everything since the money of the month is used up."""
    stage.router.refusal = ComptoirError(Reason.BUDGET_EXHAUSTED, retry_after_seconds=7200.5, numbers=NUMBERS)
    return stage


def the_sdk(stage: Stage) -> openai.AsyncOpenAI:
    """The client as it comes, which tries what may succeed twice more."""
    return openai.AsyncOpenAI(api_key=GOOD_KEY, base_url=f"{stage.url}/v1")


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
async def test_the_python_sdk_raises_it_at_once_at_every_endpoint(
    spent: Stage, call: Callable[[openai.AsyncOpenAI], Any]
) -> None:
    await spent.start()
    async with the_sdk(spent) as client:
        with pytest.raises(openai.RateLimitError) as raised:
            await call(client)
    error = raised.value
    assert (error.code, error.type, error.param) == ("insufficient_quota", "insufficient_quota", None)
    assert SENTENCE in error.message
    assert error.response.headers["retry-after"] == "7201"
    assert len(spent.router.keys) == 1, "it tried again"


async def test_the_node_sdk_throws_it_at_once_at_every_endpoint(spent: Stage) -> None:
    await spent.start()
    node = str(Path(sys.executable).parent / "node")
    process = await asyncio.create_subprocess_exec(
        node, str(SCRIPT), f"{spent.url}/v1", GOOD_KEY, "vectors", stdout=asyncio.subprocess.PIPE
    )
    said, _ = await asyncio.wait_for(process.communicate(), NODE_SECONDS)
    thrown = json.loads(said)
    assert len(thrown) == len(spent.router.keys) == len(CALLS)
    for error in thrown.values():
        assert (error["isRateLimit"], error["requests"]) == (True, 1)
        assert (error["code"], error["type"]) == ("insufficient_quota", "insufficient_quota")
        assert SENTENCE in error["message"]


async def test_a_stream_that_has_its_headers_raises_it_too(
    spent: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watches, "_SILENT_SECONDS", 0.02)
    spent.router.hold = asyncio.Event()
    await spent.start()
    async with the_sdk(spent) as client:
        stream = await client.chat.completions.create(**CHAT, stream=True)
        spent.router.hold.set()
        with pytest.raises(openai.APIError) as raised:
            async for _ in stream:
                pass
    assert (raised.value.code, raised.value.type) == ("insufficient_quota", "insufficient_quota")
    assert SENTENCE in raised.value.message
    assert len(spent.router.keys) == 1
