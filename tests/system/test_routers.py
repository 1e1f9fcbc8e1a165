"""Two routers of one region under load: the one asked is killed, drains or hangs, and no request fails."""

import asyncio
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import grpc
import pytest
from comptoir.router.v1 import admin_pb2, admin_pb2_grpc

from deploy.local.stack.paths import DataPaths
from tests.system.asking import Failure, WholeAnswer, ask, assert_admitted, assert_counted_once
from tests.system.completeness import assert_complete
from tests.system.stack_process import Stack, eventually, running_stack

pytestmark = [pytest.mark.system, pytest.mark.alone]

CALLERS: Final = 12
# A caller asks one thing after the other: so many before the router goes, and so many after it.
ASKED_BEFORE: Final = 3
ASKED_AFTER: Final = 3
# No request waits for the router to come back: there is another one.
SETTINGS: Final = """
edge: {unreachable_seconds: 60}
router: {hold_seconds: 60, first_replica_seconds: 60}
generator: {simulated: {ttft_seconds: 0.1, answer_tokens: 40}}
"""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder: Path = tmp_path_factory.mktemp("routers")
    settings = folder / "settings.yaml"
    settings.write_text(SETTINGS)
    choices = ("--routers", "2", "--engine", "simulated", "--config", str(settings))
    with running_stack(folder / "data", *choices) as running:
        yield running


async def _ask_around(stack: Stack, name: str, number: signal.Signals) -> list[WholeAnswer | Failure]:
    """Callers that ask all the time, and in the middle a signal for one router."""
    has_begun, is_gone, results = asyncio.Event(), asyncio.Event(), list[WholeAnswer | Failure]()

    async with stack.async_client(timeout=120, max_retries=0) as client, asyncio.timeout(240):

        async def call() -> None:
            asked = 0
            while asked < ASKED_AFTER or not is_gone.is_set():
                asked = asked + 1 if is_gone.is_set() else 0
                results.append(await ask(client, stack.model))
                if len(results) >= CALLERS * ASKED_BEFORE:
                    has_begun.set()

        calling = asyncio.gather(*(call() for _ in range(CALLERS)))
        await has_begun.wait()
        await asyncio.to_thread(lambda: os.kill(int(stack.process(name)["pid"]), number))
        is_gone.set()
        await calling
    return results


def _in_flight(stack: Stack) -> list[list[tuple[int, str, int]]]:
    """What each router says of the replicas: number, state, and requests in flight."""
    paths, said = DataPaths(stack.data_dir), []
    for number in (1, 2):
        with grpc.insecure_channel(f"unix:{paths.admin_socket_of(number)}") as channel:
            stub = admin_pb2_grpc.AdminServiceStub(channel)
            replicas = stub.ListReplicas(admin_pb2.ListReplicasRequest(), timeout=10).replicas
            states = [admin_pb2.ReplicaState.Name(each.state) for each in replicas]
            said.append(
                [
                    (each.number, state, each.in_flight_requests)
                    for each, state in zip(replicas, states, strict=True)
                ]
            )
    return said


@pytest.mark.timeout(400)
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=["killed", "drained"])
def test_one_of_two_routers_that_goes_under_load_costs_no_request_and_counts_agree(
    stack: Stack, number: signal.Signals
) -> None:
    # The edge asks the first, which is its nearest, as long as that serves.
    name = "router"
    stack.wait_ready()
    restarts = stack.process(name)["restarts"]
    results = asyncio.run(_ask_around(stack, name, number))
    assert [result for result in results if isinstance(result, Failure)] == []
    eventually(lambda: stack.process(name)["restarts"], lambda now: now > restarts, 60)
    answers = [result for result in results if isinstance(result, WholeAnswer)]
    assert len(answers) >= CALLERS * (ASKED_BEFORE + ASKED_AFTER)
    assert_counted_once(stack, answers)
    assert_admitted(stack, answers, may_be_again=True)
    assert_complete(stack)


@pytest.mark.timeout(400)
def test_one_of_two_routers_that_hangs_under_load_costs_no_request_and_counts_agree(stack: Stack) -> None:
    stack.wait_ready()
    hung = int(stack.process("router")["pid"])
    try:
        results = asyncio.run(_ask_around(stack, "router", signal.SIGSTOP))
    finally:
        os.kill(hung, signal.SIGCONT)
    assert [result for result in results if isinstance(result, Failure)] == []
    answers = [result for result in results if isinstance(result, WholeAnswer)]
    assert_counted_once(stack, answers)
    assert_complete(stack)
    # Both know the replica, and neither holds it for busy with what the other placed or lost.
    idle = [(1, "REPLICA_STATE_READY", 0)]
    eventually(lambda: _in_flight(stack), lambda said: said == [idle, idle], 60)
