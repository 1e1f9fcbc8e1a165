"""The generator of vectors beside all others: it starts last, it is killed at work, and it comes back."""

import asyncio
import contextlib
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import grpc
import openai
import psutil
import pytest
from comptoir.generator.v1 import generator_pb2, generator_pb2_grpc

from tests.system.completeness import assert_complete
from tests.system.stack_process import Stack, eventually, request_id_of, running_stack

pytestmark = [pytest.mark.system, pytest.mark.alone]

MODEL: Final = "tiny-embed-eu"
REQUESTS: Final = 12
INPUTS: Final = ["Où est la gare ?"] * 128
# An engine is loaded in seconds, and in minutes where others want the cores.
SETTINGS: Final = "router: {hold_seconds: 300}\n"


@dataclass(frozen=True)
class Told:
    """What the caller of one request was told: its tokens, or the code of its error."""

    request_id: str
    input_tokens: int
    code: str = ""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack of its own, because a part of it dies."""
    folder: Path = tmp_path_factory.mktemp("vectors")
    settings = folder / "settings.yaml"
    settings.write_text(SETTINGS)
    with running_stack(folder / "data", "--embeddings", "--config", str(settings)) as running:
        yield running


@pytest.mark.timeout(900)
def test_a_stack_is_ready_before_its_vectors_and_who_asks_for_some_at_once_waits_for_them(
    stack: Stack,
) -> None:
    assert stack.status()["phase"] == "ready"
    assert stack.process("embedder")["state"] in {"starting", "ready"}
    with stack.client(max_retries=0, timeout=330) as client:
        client.chat.completions.create(
            model=stack.model, messages=[{"role": "user", "content": "Bonjour"}], max_tokens=2
        )
        vectors = client.embeddings.create(model=MODEL, input="a")
    assert len(vectors.data) == 1
    eventually(lambda: stack.process("embedder")["state"], lambda state: bool(state == "ready"), 60)


@pytest.mark.timeout(900)
def test_requests_for_vectors_outlive_the_process_that_makes_them_and_each_is_counted_once(
    stack: Stack,
) -> None:
    stack.wait_ready(300)
    restarts = stack.process("embedder")["restarts"]
    told = asyncio.run(_ask_while_killing(stack))
    assert [each.code for each in told if each.code] == []
    stack.wait_ready(300)
    assert stack.process("embedder")["restarts"] == restarts + 1
    others = {entry["restarts"] for entry in stack.status()["processes"] if entry["name"] != "embedder"}
    assert others == {0}
    wanted = {each.request_id: (each.input_tokens, 0) for each in told}
    query = (
        "SELECT request_id_high, request_id_low, input_tokens, output_tokens "
        "FROM comptoir.generations WHERE outcome = 'stop' AND model = 2"
    )

    def stored() -> dict[str, tuple[int, int]]:
        rows = stack.rows(query)
        found = {request_id_of(row): (row["input_tokens"], row["output_tokens"]) for row in rows}
        assert len(found) == len(rows), "a request has two rows"
        return {name: found[name] for name in wanted if name in found}

    eventually(stored, lambda found: found == wanted, 60)
    # Those that the dead process had accepted were admitted once more, under the same identity.
    decisions = eventually(
        lambda: [row["decision"] for name in wanted for row in stack.rows_of("admissions", name)],
        lambda found: len(found) > len(wanted),
        60,
    )
    assert set(decisions) == {"admitted"}
    assert_complete(stack)


async def _ask_while_killing(stack: Stack) -> list[Told]:
    async with stack.async_client(timeout=330, max_retries=0) as client, asyncio.timeout(600):
        process = psutil.Process(int((await asyncio.to_thread(stack.process, "embedder"))["pid"]))
        # Its engine makes no step from here on: what is at work is unanswered when it dies.
        engine = process.children(recursive=True)
        assert engine
        _send(engine, signal.SIGSTOP)
        try:
            asking = [asyncio.create_task(_ask(client)) for _ in range(REQUESTS)]
            await asyncio.to_thread(eventually, lambda: _inputs_at_work(stack), bool, 60)
            process.kill()
        finally:
            _send(engine, signal.SIGCONT)
        asking += [asyncio.create_task(_ask(client)) for _ in range(REQUESTS // 2)]
        return await asyncio.gather(*asking)


def _send(processes: list[psutil.Process], number: signal.Signals) -> None:
    """A signal to those of them that are there."""
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(number)


async def _ask(client: openai.AsyncOpenAI) -> Told:
    try:
        response = await client.embeddings.with_raw_response.create(model=MODEL, input=INPUTS)
    except openai.APIStatusError as error:
        return Told(error.response.headers["x-request-id"], 0, str(error.code))
    answer = response.parse()
    assert len(answer.data) == len(INPUTS)
    return Told(response.headers["x-request-id"], answer.usage.prompt_tokens)


def _inputs_at_work(stack: Stack) -> int:
    """How many inputs the engine of vectors has."""
    host, _, port = stack.description["grpc"]["generator"].rpartition(":")
    with grpc.insecure_channel(f"{host}:{int(port) + 1}") as channel:
        stub = generator_pb2_grpc.GeneratorServiceStub(channel)
        return stub.GetLoad(generator_pb2.GetLoadRequest(), timeout=30).unfinished_requests
