"""A replica that hangs while others live: whoever has no text yet is moved, and it may wake up later."""

import asyncio
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import grpc
import openai
import pytest
from comptoir.router.v1 import admin_pb2, admin_pb2_grpc

from deploy.local.stack.paths import DataPaths
from tests.system.asking import MESSAGES, WholeAnswer, assert_counted_once
from tests.system.completeness import assert_complete
from tests.system.stack_process import Stack, eventually, running_stack

pytestmark = [pytest.mark.system, pytest.mark.alone]

CALLERS: Final = 8
# Long enough for the router to give the replica up: it then wakes as one that comes back.
HUNG_SECONDS: Final = 12.0
HEDGE_SECONDS: Final = 1.0
# Half of the time after which the router has noticed by itself, and less than gRPC takes.
MOVED_SECONDS: Final = 5.0
SETTINGS: Final = f"""
edge: {{first_token_hedge_seconds: {HEDGE_SECONDS}}}
generator: {{simulated: {{ttft_seconds: 0.1, answer_tokens: 20}}}}
"""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder: Path = tmp_path_factory.mktemp("hung")
    settings = folder / "settings.yaml"
    settings.write_text(SETTINGS)
    choices = ("--replicas", "3", "--engine", "simulated", "--config", str(settings))
    with running_stack(folder / "data", *choices) as running:
        running.wait_ready()
        yield running


@dataclass
class Asked:
    """Answers, and of each request that began while a replica hung, the time to its first text."""

    answers: list[WholeAnswer] = field(default_factory=list)
    first_seconds: list[float] = field(default_factory=list)
    is_hung: bool = False
    is_over: bool = False

    async def ask(self, client: openai.AsyncOpenAI, model: str) -> None:
        began, was_hung, first_seconds, usage = time.monotonic(), self.is_hung, 0.0, None
        response = await client.chat.completions.with_raw_response.create(
            model=model, messages=MESSAGES, stream=True, stream_options={"include_usage": True}
        )
        async for chunk in response.parse():
            usage = chunk.usage or usage
            if not first_seconds and any(choice.delta.content for choice in chunk.choices):
                first_seconds = time.monotonic() - began
        assert usage is not None
        request_id = response.headers["x-request-id"]
        self.answers.append(WholeAnswer(request_id, usage.prompt_tokens, usage.completion_tokens))
        if was_hung:
            self.first_seconds.append(first_seconds)


async def _ask_around(stack: Stack, name: str) -> Asked:
    """Callers that ask all the time, while a replica is stopped and goes on again."""
    asked = Asked()
    async with stack.async_client(timeout=120, max_retries=0) as client, asyncio.timeout(240):

        async def call() -> None:
            while not asked.is_over:
                await asked.ask(client, stack.model)

        calling = asyncio.gather(*(call() for _ in range(CALLERS)))
        process = int((await asyncio.to_thread(stack.process, name))["pid"])
        os.kill(process, signal.SIGSTOP)
        asked.is_hung = True
        try:
            await asyncio.sleep(HUNG_SECONDS)
        finally:
            asked.is_hung = False
            os.kill(process, signal.SIGCONT)
        await asyncio.sleep(2)
        asked.is_over = True
        await calling
    return asked


def _replicas(stack: Stack) -> list[tuple[int, str, int]]:
    """What the router says of each: number, state, and requests in flight."""
    with grpc.insecure_channel(f"unix:{DataPaths(stack.data_dir).admin_socket_of(1)}") as channel:
        stub = admin_pb2_grpc.AdminServiceStub(channel)
        replicas = stub.ListReplicas(admin_pb2.ListReplicasRequest(), timeout=10).replicas
    name = admin_pb2.ReplicaState.Name
    return [(one.number, name(one.state).lower()[14:], one.in_flight_requests) for one in replicas]


@pytest.mark.timeout(600)
def test_whoever_has_no_text_is_moved_from_a_replica_that_hangs_and_all_is_counted_once(stack: Stack) -> None:
    asked = asyncio.run(_ask_around(stack, "generator-2"))
    assert len(asked.first_seconds) > CALLERS
    assert max(asked.first_seconds) < MOVED_SECONDS
    assert_counted_once(stack, asked.answers)
    assert_complete(stack)
    moved = stack.rows(
        "SELECT replica, count() AS requests FROM comptoir.generations "
        "WHERE attempt > 1 AND outcome IN ('stop', 'length') GROUP BY replica"
    )
    assert {row["replica"] for row in moved} <= {1, 3}
    assert sum(row["requests"] for row in moved) > 0
    # It woke up, ended what was left to it, and holds nothing.
    idle = [(number, "ready", 0) for number in (1, 2, 3)]
    eventually(lambda: _replicas(stack), lambda said: said == idle, 60)
    # What it computed per second while it hung says that it is slow: it would be asked last for a minute.
    for number in ("1", "3"):
        stack.comptoir("replicas", "drain", number)
    eventually(lambda: _serving(stack), lambda serving: serving == {2}, 60)


def _serving(stack: Stack) -> set[int]:
    """The replicas that serve some more requests."""

    async def asking() -> Asked:
        asked = Asked()
        async with stack.async_client(timeout=120, max_retries=0) as client:
            await asyncio.gather(*(asked.ask(client, stack.model) for _ in range(3)))
        return asked

    answers = asyncio.run(asking()).answers
    return {stack.row_of("generations", answer.request_id)["replica"] for answer in answers}
