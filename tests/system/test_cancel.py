"""A caller that goes away: its request ends long before its answer, and what was generated is counted."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import grpc
import pytest
from comptoir.generator.v1 import generator_pb2, generator_pb2_grpc
from comptoir.router.v1 import router_pb2, router_pb2_grpc
from comptoir.ticket.v1 import ticket_pb2

from tests.system.stack_process import Stack, eventually

pytestmark = [pytest.mark.system, pytest.mark.alone]

# Far longer than answers take to their end, so that the tokens that are counted say what ended them.
BOUND_SECONDS = 60
MOST_TOKENS = 1500
MESSAGES: Any = [
    {"role": "user", "content": "Describe a café, then write a long report about every table in it."}
]
TRIES = 5
NEVER_STOPS: Any = {"max_completion_tokens": MOST_TOKENS, "extra_body": {"ignore_eos": True}}


def _assert_idle(stack: Stack) -> None:
    eventually(
        stack.generator_load,
        lambda load: (load.unfinished_requests, load.open_streams) == (0, 0),
        BOUND_SECONDS,
    )


def _assert_counted_as_cancelled(stack: Stack, request_id: str, at_least: int) -> None:
    row = stack.row_of("generations", request_id)
    assert row["outcome"] == "client_cancelled"
    assert at_least <= row["output_tokens"] < MOST_TOKENS
    assert row["input_tokens"] > 0


def test_the_python_client_closes_a_stream(stack: Stack) -> None:
    with stack.client() as client:
        response = client.chat.completions.with_raw_response.create(
            model=stack.model, messages=MESSAGES, stream=True, **NEVER_STOPS
        )
        stream = response.parse()
        pieces = 0
        for chunk in stream:
            pieces += bool(chunk.choices and chunk.choices[0].delta.content)
            if pieces == 3:
                break
        stream.response.close()
        _assert_idle(stack)
    _assert_counted_as_cancelled(stack, response.headers["x-request-id"], 3)


async def test_the_python_client_gives_up_on_a_whole_answer(stack: Stack) -> None:
    cancelled: Any = (
        "SELECT count() AS cancelled FROM comptoir.generations WHERE outcome = 'client_cancelled'"
    )
    (before,) = await asyncio.to_thread(stack.rows, cancelled)
    async with stack.async_client(max_retries=0) as client:
        call = asyncio.create_task(
            client.chat.completions.create(model=stack.model, messages=MESSAGES, **NEVER_STOPS)
        )
        await asyncio.to_thread(
            eventually, stack.generator_load, lambda load: load.unfinished_requests == 1, BOUND_SECONDS
        )
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)
        await asyncio.to_thread(_assert_idle, stack)
    await asyncio.to_thread(
        eventually,
        lambda: stack.rows(cancelled),
        lambda rows: rows[0]["cancelled"] > before["cancelled"],
        BOUND_SECONDS,
    )


def test_the_node_client_breaks_out_of_a_stream(stack: Stack) -> None:
    node = Path(sys.executable).parent / "node"
    program = Path(__file__).parent / "node" / "chat.mjs"
    arguments = [stack.base_url, stack.api_key, stack.model, "cancel", MESSAGES[0]["content"]]
    with subprocess.Popen([node, program, *arguments], stdout=subprocess.PIPE, text=True) as client:
        assert client.stdout is not None
        answer = json.loads(client.stdout.readline())  # printed as soon as it has left the stream
        _assert_idle(stack)
        assert client.wait(30) == 0
    _assert_counted_as_cancelled(stack, answer["request_id"], answer["chunks"])


def test_a_grpc_client_cancels_its_call(stack: Stack) -> None:
    with (
        grpc.insecure_channel(stack.description["grpc"]["router"]) as router,
        grpc.insecure_channel(stack.description["grpc"]["generator"]) as generator,
    ):
        admitted = router_pb2_grpc.RouterServiceStub(router).Admit(
            router_pb2.AdmitRequest(api_key=stack.api_key, model=stack.model, prompt_tokens_upper_bound=200),
            timeout=30,
        )
        call = generator_pb2_grpc.GeneratorServiceStub(generator).Generate(
            generator_pb2.GenerateRequest(
                ticket=admitted.offer.ticket,
                messages=[
                    generator_pb2.ChatMessage(role=generator_pb2.ROLE_USER, text=MESSAGES[0]["content"])
                ],
                sampling=generator_pb2.Sampling(ignore_eos=True, max_output_tokens=MOST_TOKENS),
            ),
            timeout=60,
        )
        for step in call:
            if step.WhichOneof("event") == "delta":
                break
        call.cancel()
        _assert_idle(stack)
    request_id = f"{admitted.request_id_high:016x}{admitted.request_id_low:016x}"
    _assert_counted_as_cancelled(stack, request_id, 1)


def test_a_deadline_is_told_apart_from_a_cancel(stack: Stack) -> None:
    with (
        grpc.insecure_channel(stack.description["grpc"]["router"]) as router,
        grpc.insecure_channel(stack.description["grpc"]["generator"]) as generator,
    ):
        for _ in range(TRIES):
            admitted = router_pb2_grpc.RouterServiceStub(router).Admit(
                router_pb2.AdmitRequest(
                    api_key=stack.api_key, model=stack.model, prompt_tokens_upper_bound=200, choices=16
                ),
                timeout=30,
            )
            call = generator_pb2_grpc.GeneratorServiceStub(generator).Generate(
                _choices(admitted.offer.ticket), timeout=2
            )
            if _steps_to_the_deadline(call):
                break
    request_id = f"{admitted.request_id_high:016x}{admitted.request_id_low:016x}"
    assert stack.row_of("generations", request_id)["outcome"] == "deadline"


def _choices(ticket: ticket_pb2.SignedTicket) -> generator_pb2.GenerateRequest:
    """More than is made within a deadline."""
    return generator_pb2.GenerateRequest(
        ticket=ticket,
        messages=[generator_pb2.ChatMessage(role=generator_pb2.ROLE_USER, text=MESSAGES[0]["content"])],
        sampling=generator_pb2.Sampling(ignore_eos=True, max_output_tokens=MOST_TOKENS, n=16),
    )


def _steps_to_the_deadline(call: Any) -> int:
    """How much of an answer came; none where a replica that stood still did not accept it in time."""
    steps: list[Any] = []
    with pytest.raises(grpc.RpcError) as caught:
        steps.extend(call)
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    return len(steps)
