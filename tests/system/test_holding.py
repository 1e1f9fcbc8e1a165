"""Callers wait for a replica that dies or is starved, and see no error unless they had text already."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import openai
import pytest

from tests.system.serving_processes import MODEL, ServingProcesses

pytestmark = pytest.mark.system

REQUESTS: Final = 24
MESSAGES: Any = [{"role": "user", "content": "Écris un bref compte rendu."}]
# No text for six seconds: a replica that is killed before that gave none, on a busy machine too.
SLOW: Final = {"simulated": {"ttft_seconds": 6.0, "answer_tokens": 8, "itl_seconds": 0.01}}


@dataclass(frozen=True)
class Answer:
    """What one caller got: text, and the code of an error if there was one."""

    text: str
    code: str


# Its engine takes longer than a router waits for a replica that it has never seen or that left (5 s).
LOADING: Final = {"simulated": {"load_seconds": 15.0, "answer_tokens": 8}}


@asynccontextmanager
async def serving(
    folder: Path, *, replicas: int = 1, generator: dict[str, Any] = SLOW
) -> AsyncIterator[tuple[ServingProcesses, openai.AsyncOpenAI]]:
    processes = ServingProcesses(folder, replicas=replicas, router={"hold_seconds": 120}, generator=generator)
    try:
        await processes.start()
        api_key = await processes.key("acme", concurrency=REQUESTS)
        async with openai.AsyncOpenAI(
            base_url=f"{processes.base_url}/v1", api_key=api_key, max_retries=0, timeout=150
        ) as client:
            yield processes, client
    finally:
        await processes.stop()


async def ask(client: openai.AsyncOpenAI, *, is_streamed: bool) -> Answer:
    """One chat, and nothing that the client itself does again."""
    texts: list[str] = []
    try:
        if is_streamed:
            stream = await client.chat.completions.create(model=MODEL, messages=MESSAGES, stream=True)
            async for chunk in stream:
                texts += [choice.delta.content or "" for choice in chunk.choices]
        else:
            answer = await client.chat.completions.create(model=MODEL, messages=MESSAGES)
            texts.append(answer.choices[0].message.content or "")
    except openai.APIError as error:
        return Answer("".join(texts), str(error.code))
    return Answer("".join(texts), "")


def asking(client: openai.AsyncOpenAI, count: int) -> "list[asyncio.Task[Answer]]":
    """Requests under way, every other one streamed."""
    return [asyncio.create_task(ask(client, is_streamed=bool(number % 2))) for number in range(count)]


def without_text(answers: list[Answer]) -> list[Answer]:
    return [answer for answer in answers if answer.code or not answer.text]


@pytest.mark.timeout(600)
async def test_killing_the_only_replica_costs_those_without_text_a_wait(tmp_path: Path) -> None:
    async with serving(tmp_path) as (processes, client):
        assert without_text([await ask(client, is_streamed=True)]) == []
        # Admitted, accepted, and without a first token.
        before = asking(client, REQUESTS // 2)
        await processes.until_accepted(REQUESTS // 2)
        processes.kill("generator1")
        during = asking(client, REQUESTS // 2)
        await asyncio.sleep(2)
        processes.launch("generator1")
        assert without_text(await asyncio.gather(*before, *during)) == []


@pytest.mark.timeout(600)
async def test_a_replica_that_is_starved_for_some_seconds_costs_a_wait(tmp_path: Path) -> None:
    async with serving(tmp_path) as (processes, client):
        assert without_text([await ask(client, is_streamed=True)]) == []
        processes.signal("generator1", signal.SIGSTOP)
        # Longer than `router.report_timeout_seconds`: the replica is silent, and its stream is open.
        await asyncio.sleep(6)
        waiting = asking(client, REQUESTS // 2)
        await asyncio.sleep(1)
        processes.signal("generator1", signal.SIGCONT)
        assert without_text(await asyncio.gather(*waiting)) == []


@pytest.mark.timeout(600)
async def test_a_request_waits_for_the_first_replica_while_its_engine_starts(tmp_path: Path) -> None:
    async with serving(tmp_path, replicas=0, generator=LOADING) as (processes, client):
        processes.launch("generator1")
        await processes.until_replicas(["starting"])
        waiting = asking(client, REQUESTS // 2)
        # Past the time for which a router waits for nobody in particular.
        await asyncio.sleep(6)
        assert await processes.replica_states() == ["starting"]
        assert without_text(await asyncio.gather(*waiting)) == []
        await processes.until_replicas(["ready"])


@pytest.mark.timeout(600)
async def test_a_replica_that_was_killed_is_known_again_while_its_engine_starts(tmp_path: Path) -> None:
    async with serving(tmp_path, generator=LOADING) as (processes, client):
        assert without_text([await ask(client, is_streamed=True)]) == []
        processes.kill("generator1")
        during = asking(client, REQUESTS // 2)
        processes.launch("generator1")
        await processes.until_replicas(["starting"])
        after = asking(client, REQUESTS // 2)
        assert without_text(await asyncio.gather(*during, *after)) == []
        await processes.until_replicas(["ready"])


@pytest.mark.timeout(600)
async def test_the_prompts_of_one_request_move_on_each_for_itself(tmp_path: Path) -> None:
    prompts = [f"{number}. Il était une fois" for number in range(8)]
    async with serving(tmp_path, replicas=2) as (processes, client):
        asked: Any = {"model": MODEL, "prompt": prompts, "echo": True, "temperature": 0, "max_tokens": 8}
        whole = asyncio.create_task(client.completions.create(**asked))
        # Both have accepted some, and none has any text.
        await processes.until_accepted(len(prompts))
        processes.kill("generator1")
        choices = (await whole).choices
        assert [choice.index for choice in choices] == list(range(8))
        for choice, prompt in zip(choices, prompts, strict=True):
            assert choice.text.startswith(prompt)
            assert len(choice.text) > len(prompt)
