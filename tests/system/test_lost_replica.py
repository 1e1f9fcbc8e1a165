"""Of two replicas with the real engine one hangs, or its engine, and one is killed: the other goes on."""

import asyncio
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

import grpc
import openai
import psutil
import pytest
from comptoir.router.v1 import admin_pb2, admin_pb2_grpc

from deploy.local.stack.paths import DataPaths
from tests.system.asking import Failure, WholeAnswer, ask, assert_counted_once
from tests.system.completeness import assert_complete
from tests.system.stack_process import Stack, eventually, request_id_of, running_stack

pytestmark = [pytest.mark.system, pytest.mark.alone, pytest.mark.timeout(900)]

OUTPUT_TOKENS: Final = 40
# Asked at once around a kill.
REQUESTS: Final = 24
ROUNDS: Final = 5
HEDGE_SECONDS: Final = 1.0
# The router knows after 2.5 s that an engine makes no step, and is asked after 1, 2 and 4 s; the rest is for
# a busy machine. Without a hedge nobody is moved before the replica goes on, which waits for them.
MOVED_SECONDS: Final = 20.0
MOVED: Final = 6
# An engine is loaded in seconds, and a ticket accepted in milliseconds, where nothing else wants the cores.
SETTINGS: Final = f"""
edge: {{first_token_hedge_seconds: {HEDGE_SECONDS}}}
router: {{hold_seconds: 150, ticket_lifetime_seconds: 60}}
"""
READY: Final = [(number, "ready", 0) for number in (1, 2)]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("lost")
    settings = folder / "settings.yaml"
    settings.write_text(SETTINGS)
    with running_stack(folder / "data", "--replicas", "2", "--config", str(settings)) as running:
        # Two engines are loading: what asks meanwhile must cost next to nothing.
        eventually(lambda: _replicas(running), lambda said: said == READY, 300)
        yield running


def _generator(stack: Stack) -> int:
    """The process that speaks for the second replica."""
    return int(stack.process("generator-2")["pid"])


def _engine(stack: Stack) -> int:
    """The process in which vLLM computes for it."""
    children = psutil.Process(_generator(stack)).children()
    (core,) = (child for child in children if child.name().startswith("VLLM"))
    return core.pid


@contextmanager
def _admin(stack: Stack) -> Iterator[admin_pb2_grpc.AdminServiceStub]:
    with grpc.insecure_channel(f"unix:{DataPaths(stack.data_dir).admin_socket_of(1)}") as channel:
        yield admin_pb2_grpc.AdminServiceStub(channel)


def _replicas(stack: Stack) -> list[tuple[int, str, int]]:
    """What the router says of each: number, state, and requests in flight."""
    with _admin(stack) as stub:
        replicas = stub.ListReplicas(admin_pb2.ListReplicasRequest(), timeout=10).replicas
    name = admin_pb2.ReplicaState.Name
    return [(one.number, name(one.state).lower()[14:], one.in_flight_requests) for one in replicas]


async def _ask_many(stack: Stack, count: int) -> list[WholeAnswer | Failure]:
    async with stack.async_client(timeout=240, max_retries=0) as client, asyncio.timeout(300):
        return await asyncio.gather(*(_ask(client, stack) for _ in range(count)))


async def _ask(client: openai.AsyncOpenAI, stack: Stack) -> WholeAnswer | Failure:
    return await ask(client, stack.model, output_tokens=OUTPUT_TOKENS)


def _ended_by(stack: Stack, answers: list[WholeAnswer | Failure]) -> list[int]:
    """The replica whose row says that it ended each request, of which none failed."""
    whole = [answer for answer in answers if isinstance(answer, WholeAnswer)]
    assert len(whole) == len(answers), answers
    assert_counted_once(stack, whole)
    rows = stack.rows(
        "SELECT request_id_high, request_id_low, replica FROM comptoir.generations "
        "WHERE outcome IN ('stop', 'length')"
    )
    replicas = {request_id_of(row): int(row["replica"]) for row in rows}
    return [replicas[answer.request_id] for answer in whole]


def test_when_one_is_killed_whoever_has_no_text_is_answered_by_the_other(stack: Stack) -> None:
    serving: set[int] = set()
    for _ in range(ROUNDS):
        # All leave one that stands still for a second.
        serving |= set(_ended_by(stack, asyncio.run(_ask_many(stack, REQUESTS))))
        if serving == {1, 2}:
            break
    assert serving == {1, 2}
    restarts = _restarts(stack)
    answers = asyncio.run(_ask_while_killing(stack))
    # Text that had begun cannot go on; every other request was served by the one that lives.
    whole = [answer for answer in answers if isinstance(answer, WholeAnswer)]
    failed = {answer for answer in answers if isinstance(answer, Failure)}
    assert failed <= {Failure("unavailable", has_text=True)}
    assert len(whole) >= REQUESTS
    assert 1 in _ended_by(stack, list(whole))
    after = _restarts(stack)
    assert {name for name, count in after.items() if count != restarts[name]} == {"generator-2"}
    eventually(lambda: _replicas(stack), lambda said: said == READY, 240)
    assert_complete(stack)


def _restarts(stack: Stack) -> dict[str, int]:
    return {each["name"]: each["restarts"] for each in stack.status()["processes"]}


async def _ask_while_killing(stack: Stack) -> list[WholeAnswer | Failure]:
    async with stack.async_client(timeout=240, max_retries=0) as client, asyncio.timeout(300):
        process = await asyncio.to_thread(_generator, stack)
        asking = [asyncio.create_task(_ask(client, stack)) for _ in range(REQUESTS)]
        await asyncio.wait(asking, timeout=0.3)
        os.kill(process, signal.SIGKILL)
        asking += [asyncio.create_task(_ask(client, stack)) for _ in range(REQUESTS)]
        return await asyncio.gather(*asking)


@dataclass
class Moved:
    """Answers of requests that began on a replica that hangs, and the time to the first text of each."""

    answers: list[WholeAnswer | Failure] = field(default_factory=list)
    first_seconds: list[float] = field(default_factory=list)

    async def ask(self, client: openai.AsyncOpenAI, stack: Stack) -> None:
        began = time.monotonic()
        answer = await ask(client, stack.model, output_tokens=OUTPUT_TOKENS, text_began=self._note(began))
        self.answers.append(answer)

    def _note(self, began: float) -> Callable[[], None]:
        return lambda: self.first_seconds.append(time.monotonic() - began)


async def _ask_while_hung(stack: Stack, process: int, heard: list[int]) -> Moved:
    """The answers of the first replica to what was sent to the second, whose process is stopped.

    It goes on once the router hears no others than `heard`: a generator that was given up comes back.
    Those whose text had begun wait, and are ended by the second once it goes on.
    """
    moved = Moved()
    async with stack.async_client(timeout=240, max_retries=0) as client, asyncio.timeout(300):
        begun = [asyncio.create_task(_ask(client, stack)) for _ in range(MOVED)]
        await asyncio.wait(begun, timeout=0.3)
        os.kill(process, signal.SIGSTOP)
        try:
            moving = asyncio.gather(*(moved.ask(client, stack) for _ in range(MOVED)))
            await asyncio.to_thread(_drain, stack, is_wanted=False)
            await moving
            await asyncio.to_thread(
                eventually, lambda: [one[0] for one in _replicas(stack)], lambda said: said == heard, 60
            )
        finally:
            os.kill(process, signal.SIGCONT)
        moved.answers += await asyncio.gather(*begun)
    return moved


@pytest.mark.parametrize(("hung", "heard"), [(_engine, [1, 2]), (_generator, [1])])
def test_whoever_has_no_text_is_moved_from_a_replica_that_hangs_and_all_is_counted_once(
    stack: Stack, hung: Callable[[Stack], int], heard: list[int]
) -> None:
    _drain(stack, is_wanted=True)
    moved = asyncio.run(_ask_while_hung(stack, hung(stack), heard))
    assert len(moved.first_seconds) == MOVED
    assert max(moved.first_seconds) < MOVED_SECONDS
    assert _ended_by(stack, moved.answers[:MOVED]) == [1] * MOVED
    _ended_by(stack, moved.answers[MOVED:])
    assert_complete(stack)
    # It woke up, ended what was left to it, holds nothing, and serves.
    eventually(lambda: _replicas(stack), lambda said: said == READY, 60)
    _drain(stack, is_wanted=True)
    assert _ended_by(stack, asyncio.run(_ask_many(stack, 3))) == [2] * 3


def _drain(stack: Stack, *, is_wanted: bool) -> None:
    """Has the first replica drain, or serve again, and waits until the router says so."""
    with _admin(stack) as stub:
        if is_wanted:
            stub.DrainReplica(admin_pb2.DrainReplicaRequest(number=1), timeout=10)
        else:
            stub.UndrainReplica(admin_pb2.UndrainReplicaRequest(number=1), timeout=10)
    wanted = "draining" if is_wanted else "ready"
    eventually(lambda: _replicas(stack)[0], lambda one: one[:2] == (1, wanted), 30)
