"""What the official clients build on their calls: parse, events, tools, raw answers, timeouts, retries."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import openai
import pytest
from openai.lib.streaming.chat import ContentDoneEvent
from pydantic import BaseModel, Field

from tests.system.stack_process import REPOSITORY, Stack, eventually

pytestmark = pytest.mark.system

NODE = Path(sys.executable).parent / "node"
MESSAGES: Any = [{"role": "user", "content": "Quand est-ce ouvert ?"}]
ASKED: Any = {"messages": MESSAGES, "max_completion_tokens": 200, "temperature": 0}
# Seconds of output, whatever the model would say.
LONG: Any = {"messages": MESSAGES, "max_completion_tokens": 1500, "extra_body": {"ignore_eos": True}}


class Place(BaseModel):
    name: Annotated[str, Field(max_length=8)]
    floor: Annotated[int, Field(ge=-1, le=9)] | None


class Opening(BaseModel):
    """When something is open."""

    day: Literal["lundi", "mardi"]
    hours: Annotated[list[Annotated[int, Field(ge=0, le=24)]], Field(max_length=2)]
    place: Place


FORCED: Any = {"type": "function", "function": {"name": "Opening"}}
TOOL = openai.pydantic_function_tool(Opening)


def key_of(stack: Stack, *quota: str) -> str:
    created: dict[str, str] = json.loads(stack.comptoir("keys", "create", *quota, "--json").stdout)
    return created["api_key"]


def test_the_helpers_of_the_node_client_work_with_zod(stack: Stack) -> None:
    arguments = [stack.base_url, stack.api_key, stack.model, key_of(stack, "--concurrency", "1")]
    done = subprocess.run(
        [NODE, Path(__file__).parent / "helpers.mjs", *arguments],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    for opening in (told["parsed"], told["streamed"], told["called"], *told["ran"]):
        Opening.model_validate(opening)
    assert told["parsed"] == told["streamed"]
    assert len(told["ran"]) == 2
    assert told["final"].strip()
    assert told["streamedTokens"] > 0
    assert {"chunk", "content.delta", "content.done", "end"} <= set(told["events"])
    status, *request_ids = told["raw"]
    assert (status, told["rawStatus"], len(set(request_ids)), len(request_ids[0])) == (200, 200, 1, 32)
    assert (told["timeout"], told["aborted"]) == ("APIConnectionTimeoutError", "APIUserAbortError")
    assert told["refused"] == "RateLimitError"
    assert told["retried"] in ("stop", "length")


def test_a_stream_with_a_class_tells_of_deltas_and_then_of_an_object(stack: Stack) -> None:
    with (
        stack.client(max_retries=0) as client,
        client.chat.completions.stream(model=stack.model, response_format=Opening, **ASKED) as stream,
    ):
        events = list(stream)
        final = stream.get_final_completion().choices[0].message
    (done,) = [event for event in events if isinstance(event, ContentDoneEvent)]
    assert isinstance(done.parsed, Opening)
    assert done.parsed == final.parsed
    assert "".join(event.delta for event in events if event.type == "content.delta") == final.content


def test_the_arguments_of_a_call_are_an_object_of_the_callers_class_streamed_and_whole(stack: Stack) -> None:
    asked: Any = {"model": stack.model, "tools": [TOOL], "tool_choice": FORCED, **ASKED}
    with stack.client(max_retries=0) as client:
        whole = client.chat.completions.parse(**asked).choices[0].message
        with client.chat.completions.stream(**asked) as stream:
            events = [event.type for event in stream]
            streamed = stream.get_final_completion().choices[0].message
    (call,), (same,) = whole.tool_calls or [], streamed.tool_calls or []
    assert isinstance(call.function.parsed_arguments, Opening)
    assert call.function.parsed_arguments == same.function.parsed_arguments
    assert {"tool_calls.function.arguments.delta", "tool_calls.function.arguments.done"} <= set(events)


def test_an_answer_that_is_cut_is_an_error_of_its_own_when_it_is_parsed(stack: Stack) -> None:
    asked = {**ASKED, "max_completion_tokens": 6}
    with stack.client(max_retries=0) as client, pytest.raises(openai.LengthFinishReasonError) as cut:
        client.chat.completions.parse(model=stack.model, response_format=Opening, **asked)
    assert cut.value.completion.usage is not None
    assert cut.value.completion.usage.completion_tokens == 6


def test_raw_answers_have_headers_and_lines(stack: Stack) -> None:
    with stack.client(max_retries=0) as client:
        raw = client.chat.completions.with_raw_response.parse(
            model=stack.model, response_format=Opening, **ASKED
        )
        assert isinstance(raw.parse().choices[0].message.parsed, Opening)
        assert raw.headers["x-request-id"] == raw.request_id == raw.parse()._request_id
        streaming = client.chat.completions.with_streaming_response
        with streaming.create(model=stack.model, stream=True, **ASKED) as answer:
            lines = [line for line in answer.iter_lines() if line]
        with streaming.create(model=stack.model, **ASKED) as whole:
            body = json.loads(whole.read())
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert all(line.startswith("data: ") for line in lines if not line.startswith(":"))
    assert lines[-1] == "data: [DONE]"
    assert body["choices"][0]["message"]["content"]


def test_a_request_that_times_out_ends_in_the_replica_too(stack: Stack) -> None:
    with stack.client(max_retries=0) as client, pytest.raises(openai.APITimeoutError):
        client.chat.completions.create(model=stack.model, timeout=0.3, **LONG)
    eventually(lambda: stack.generator_load().unfinished_requests, lambda left: left == 0, 60)


def test_who_is_refused_for_the_moment_is_served_by_the_clients_own_retries(stack: Stack) -> None:
    key = key_of(stack, "--concurrency", "1")
    with stack.client(max_retries=20, api_key=key) as client:
        first = client.chat.completions.create(model=stack.model, stream=True, **LONG)
        with pytest.raises(openai.RateLimitError):
            client.with_options(max_retries=0).chat.completions.create(model=stack.model, **ASKED)
        first.close()
        second = client.chat.completions.with_raw_response.create(model=stack.model, **ASKED)
    assert second.parse().choices[0].message.content
    row = stack.row_of("edge_requests", second.headers["x-request-id"])
    assert row["client_retry_count"] == second.retries_taken


async def test_a_cancelled_task_ends_its_request_whole_or_streamed(stack: Stack) -> None:
    async with stack.async_client(max_retries=0) as client:
        asked: Any = {"model": stack.model, **LONG}

        async def read() -> None:
            async for _ in await client.chat.completions.create(stream=True, **asked):
                pass

        tasks = [asyncio.create_task(read()), asyncio.create_task(client.chat.completions.create(**asked))]
        await unfinished(stack, 2)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
    await unfinished(stack, 0)


async def unfinished(stack: Stack, count: int) -> None:
    """Waits until the replica has so many requests."""
    await asyncio.to_thread(
        eventually, lambda: stack.generator_load().unfinished_requests, lambda left: left == count, 60
    )
