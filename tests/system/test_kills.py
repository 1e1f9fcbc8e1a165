"""Kill -9 of every process in turn under load: clean errors or whole answers, and the counts still agree."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import openai
import pytest

from tests.system.stack_process import Stack, eventually, request_id_of, running_stack

pytestmark = pytest.mark.system

REQUESTS = 20
EVERY_PROCESS = ("edge", "router", "generator", "emitter", "usage", "kafka", "clickhouse")
MESSAGES: Any = [{"role": "user", "content": "Écris un bref compte rendu."}]


@dataclass(frozen=True)
class WholeAnswer:
    """A request that ended well for its client."""

    request_id: str
    input_tokens: int
    output_tokens: int


@pytest.fixture(scope="module")
def killed_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack of its own, because its parts die."""
    with running_stack(tmp_path_factory.mktemp("killed")) as running:
        yield running


async def _ask(client: openai.AsyncOpenAI, model: str) -> WholeAnswer | None:
    """One streamed chat: the whole answer, or None after a clean error; anything else fails the test."""
    try:
        response = await client.chat.completions.with_raw_response.create(
            model=model, messages=MESSAGES, stream=True, stream_options={"include_usage": True}
        )
        finish_reason = usage = None
        async for chunk in response.parse():
            usage = chunk.usage or usage
            if chunk.choices:
                finish_reason = chunk.choices[0].finish_reason or finish_reason
    except (openai.APIError, httpx.TransportError):
        return None
    assert finish_reason in {"stop", "length"}, "an answer ended in silence"
    assert usage is not None
    return WholeAnswer(response.headers["x-request-id"], usage.prompt_tokens, usage.completion_tokens)


async def _ask_while_killing(stack: Stack, name: str) -> list[WholeAnswer]:
    async with stack.async_client(timeout=60, max_retries=0) as client, asyncio.timeout(120):
        asking = [asyncio.create_task(_ask(client, stack.model)) for _ in range(REQUESTS)]
        await asyncio.wait(asking, timeout=0.3)
        await asyncio.to_thread(stack.kill, name)
        more = [asyncio.create_task(_ask(client, stack.model)) for _ in range(REQUESTS // 2)]
        answers = await asyncio.gather(*asking, *more)
    return [answer for answer in answers if answer is not None]


def _assert_counted_once(stack: Stack, answers: list[WholeAnswer]) -> None:
    wanted = {answer.request_id: (answer.input_tokens, answer.output_tokens) for answer in answers}
    query = (
        "SELECT request_id_high, request_id_low, input_tokens, output_tokens "
        "FROM comptoir.generations WHERE outcome IN ('stop', 'length')"
    )

    def stored() -> dict[str, tuple[int, int]]:
        rows = stack.rows(query)
        found = {request_id_of(row): (row["input_tokens"], row["output_tokens"]) for row in rows}
        assert len(found) == len(rows), "a request has two rows"
        return {name: found[name] for name in wanted if name in found}

    eventually(stored, lambda found: found == wanted, 60)
    for answer in answers:
        assert len(stack.rows_of("admissions", answer.request_id)) == 1


def _assert_complete(stack: Stack) -> None:
    """Each spool numbered its events of a kind from 1 without gaps, and each is there once."""
    for table in ("generations", "admissions", "edge_requests", "replica_load"):
        query = (
            "SELECT producer_id, count() AS rows, uniqExact(producer_sequence) AS numbers, "  # noqa: S608
            "uniqExact(event_id_high, event_id_low) AS events, "
            f"max(producer_sequence) AS last FROM comptoir.{table} GROUP BY producer_id"
        )

        def gaps(query: str = query) -> list[dict[str, Any]]:
            rows = stack.rows(query)
            return [row for row in rows if not row["rows"] == row["numbers"] == row["last"] == row["events"]]

        eventually(gaps, lambda found: found == [], 30)


@pytest.mark.timeout(240)
@pytest.mark.parametrize("name", EVERY_PROCESS)
def test_a_killed_process_comes_back_and_the_counts_agree(killed_stack: Stack, name: str) -> None:
    killed_stack.wait_ready()
    restarts = killed_stack.process(name)["restarts"]
    answers = asyncio.run(_ask_while_killing(killed_stack, name))
    eventually(lambda: killed_stack.process(name)["restarts"], lambda now: now > restarts, 60)
    killed_stack.wait_ready()
    afterwards = asyncio.run(_ask_once(killed_stack))
    _assert_counted_once(killed_stack, [*answers, afterwards])
    _assert_complete(killed_stack)


async def _ask_once(stack: Stack) -> WholeAnswer:
    """One request on a stack that is whole again; the SDK's own retries may help it."""
    async with stack.async_client(timeout=60) as client, asyncio.timeout(120):
        answer = await _ask(client, stack.model)
    assert answer is not None, "the stack does not serve after a restart"
    return answer
