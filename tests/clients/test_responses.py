"""Responses, as official clients ask for them and read them: whole, streamed, parsed and in a tool loop."""

import asyncio
import json
from typing import Any, Final, Literal

import jsonschema
import pytest
from openai.types.responses import (
    ParsedResponse,
    Response,
    ResponseFunctionToolCall,
    ResponseReasoningItem,
)
from pydantic import BaseModel

from tests.clients.test_other_clients import NODE, PROGRAMS, run
from tests.system.stack_process import Stack

pytestmark = pytest.mark.system

INPUT: Any = "Quel temps fera-t-il demain à Lyon ?"
WEATHER: Any = {
    "type": "function",
    "name": "weather",
    "description": "Dit le temps qu'il fera.",
    "strict": True,
    "parameters": {
        "type": "object",
        "properties": {
            "city": {"type": "string", "maxLength": 10},
            "unit": {"type": "string", "enum": ["celsius", "kelvin"]},
        },
        "required": ["city", "unit"],
        "additionalProperties": False,
    },
}
FORCED: Any = {"type": "function", "name": "weather"}
GREEDY: Final[dict[str, Any]] = {"input": INPUT, "temperature": 0, "max_output_tokens": 200}
LOGPROBS: Final[dict[str, Any]] = {"include": ["message.output_text.logprobs"], "top_logprobs": 2}
OPENING: Any = {
    "type": "object",
    "properties": {"day": {"type": "string", "enum": ["lundi", "mardi"]}, "is_open": {"type": "boolean"}},
    "required": ["day", "is_open"],
    "additionalProperties": False,
}


class Opening(BaseModel):
    """When something is open."""

    day: Literal["lundi", "mardi"]
    is_open: bool


def whole(stack: Stack, **asked: Any) -> Response:
    with stack.client(max_retries=0) as client:
        answer: Response = client.responses.create(model=stack.model, **(GREEDY | asked))
        return answer


def streamed(stack: Stack, **asked: Any) -> list[Any]:
    """The events of a stream, as the client reads them."""
    with stack.client(max_retries=0) as client:
        return list(client.responses.create(model=stack.model, stream=True, **(GREEDY | asked)))


def said(response: Response) -> list[dict[str, Any]]:
    """What an answer says, without the ids that each has for itself."""
    return [item.model_dump(exclude={"id", "call_id"}) for item in response.output]


def told(item: Any) -> str:
    """What the deltas of an item put together."""
    if isinstance(item, ResponseFunctionToolCall):
        return item.arguments
    return "".join(part.text for part in item.content or ())


def call_of(response: Response) -> ResponseFunctionToolCall:
    (call,) = response.output
    assert isinstance(call, ResponseFunctionToolCall)
    jsonschema.validate(json.loads(call.arguments), WEATHER["parameters"])
    return call


CASES: dict[str, dict[str, Any]] = {
    "text": {},
    "cut": {"max_output_tokens": 5},
    "instructions": {"instructions": "Réponds en un mot."},
    "logprobs": LOGPROBS,
    "schema": {"text": {"format": {"type": "json_schema", "name": "a", "strict": True, "schema": OPENING}}},
    "object": {"text": {"format": {"type": "json_object"}}, "max_output_tokens": 60},
    "forced": {"tools": [WEATHER], "tool_choice": FORCED},
    "cut call": {"tools": [WEATHER], "tool_choice": FORCED, "max_output_tokens": 12},
    "required": {"tools": [WEATHER], "tool_choice": "required"},
    "auto": {"tools": [WEATHER]},
    "sampled": {"temperature": 1, "top_p": 0.9, "extra_body": {"seed": 7}},
    "reasoning": {"reasoning": {"effort": "minimal"}},
    "reasoned call": {"reasoning": {"effort": "minimal"}, "tools": [WEATHER], "tool_choice": FORCED},
}


@pytest.mark.parametrize("case", CASES)
def test_a_stream_says_what_the_whole_answer_says(stack: Stack, case: str) -> None:
    one, events = whole(stack, **CASES[case]), streamed(stack, **CASES[case])
    last = events[-1].response
    assert events[-1].type == f"response.{one.status}"
    assert said(last) == said(one)
    assert (last.usage.input_tokens, last.usage.output_tokens) == (
        one.usage.input_tokens,  # type: ignore[union-attr]
        one.usage.output_tokens,  # type: ignore[union-attr]
    )
    assert [event.sequence_number for event in events] == list(range(len(events)))
    for item in one.output:
        index = one.output.index(item)
        deltas = "".join(
            event.delta for event in events if event.type.endswith(".delta") and event.output_index == index
        )
        assert deltas == told(item)


def test_what_a_model_thinks_is_an_item_before_its_answer(stack: Stack) -> None:
    one = whole(stack, **CASES["reasoned call"])
    assert [item.type for item in one.output] == ["reasoning", "function_call"]
    assert isinstance(one.output[0], ResponseReasoningItem)
    assert one.usage is not None
    assert 0 < one.usage.output_tokens_details.reasoning_tokens < one.usage.output_tokens


def test_events_come_in_the_order_that_openai_has(stack: Stack) -> None:
    kinds = [event.type.removeprefix("response.") for event in streamed(stack)]
    assert kinds[:4] == ["created", "in_progress", "output_item.added", "content_part.added"]
    assert kinds[-4:] == ["output_text.done", "content_part.done", "output_item.done", "completed"]
    assert set(kinds[4:-4]) == {"output_text.delta"}
    kinds = [event.type for event in streamed(stack, tools=[WEATHER], tool_choice=FORCED)]
    assert kinds[-3:] == [
        "response.function_call_arguments.done",
        "response.output_item.done",
        "response.completed",
    ]


def test_an_answer_says_how_it_was_understood_and_that_nothing_is_stored(stack: Stack) -> None:
    answer = whole(stack, tools=[WEATHER], tool_choice="none", truncation="auto", metadata={"a": "b"})
    assert answer.id.startswith("resp_")
    assert answer.object == "response"
    assert (answer.temperature, answer.max_output_tokens) == (0, 200)
    assert (answer.tool_choice, answer.parallel_tool_calls) == ("none", True)
    assert answer.tools[0].model_dump(exclude_unset=True) == WEATHER
    assert answer.model_dump()["store"] is False
    assert (answer.metadata, answer.instructions, answer.truncation) == ({}, None, "disabled")
    assert answer.usage is not None
    assert answer.usage.total_tokens == answer.usage.input_tokens + answer.usage.output_tokens


def test_an_answer_that_is_cut_says_why(stack: Stack) -> None:
    answer = whole(stack, max_output_tokens=5)
    assert answer.incomplete_details is not None
    assert (answer.status, answer.incomplete_details.reason) == ("incomplete", "max_output_tokens")
    assert answer.usage is not None
    assert answer.usage.output_tokens == 5


def test_every_token_has_its_logprob(stack: Stack) -> None:
    answer = whole(stack, max_output_tokens=16, **LOGPROBS)
    (message,) = answer.output
    assert message.type == "message"
    (part,) = message.content
    assert part.type == "output_text"
    tokens = part.logprobs or []
    assert answer.usage is not None
    assert len(tokens) >= answer.usage.output_tokens - 1
    assert b"".join(bytes(token.bytes) for token in tokens).decode().startswith(part.text)
    assert {len(token.top_logprobs) for token in tokens} == {2}


def test_parse_gives_a_model_of_pydantic(stack: Stack) -> None:
    with stack.client(max_retries=0) as client:
        answer: ParsedResponse[Opening] = client.responses.parse(
            model=stack.model, text_format=Opening, **GREEDY
        )
    assert isinstance(answer.output_parsed, Opening)


def test_the_helper_for_streams_parses_too(stack: Stack) -> None:
    with (
        stack.client(max_retries=0) as client,
        client.responses.stream(model=stack.model, text_format=Opening, **GREEDY) as stream,
    ):
        for _ in stream:
            pass
        assert isinstance(stream.get_final_response().output_parsed, Opening)


def test_an_agent_goes_on_after_its_tools_have_answered(stack: Stack) -> None:
    first = whole(stack, tools=[WEATHER], tool_choice=FORCED)
    call = call_of(first)
    # As the client gives them back, with all that an answer has.
    history: list[Any] = [
        {"role": "user", "content": INPUT},
        *[item.model_dump() for item in first.output],
        {"type": "function_call_output", "call_id": call.call_id, "output": "Il fera 20 °C."},
    ]
    second = whole(stack, input=history, tools=[WEATHER], max_output_tokens=40)
    assert second.output
    assert first.usage is not None
    assert second.usage is not None
    assert second.usage.input_tokens > first.usage.input_tokens


def test_the_asynchronous_client_streams_a_call(stack: Stack) -> None:
    async def ask() -> tuple[str, str]:
        async with (
            stack.async_client(max_retries=0) as client,
            client.responses.stream(
                model=stack.model, tools=[WEATHER], tool_choice=FORCED, **GREEDY
            ) as stream,
        ):
            pieces = [
                event.delta
                async for event in stream
                if event.type == "response.function_call_arguments.delta"
            ]
            (call,) = (await stream.get_final_response()).output
        assert call.type == "function_call"
        return "".join(pieces), call.arguments

    pieces, arguments = asyncio.run(ask())
    assert pieces == arguments
    jsonschema.validate(json.loads(arguments), WEATHER["parameters"])


def test_an_answer_counts_what_the_count_of_its_input_says(stack: Stack) -> None:
    items: Any = [
        {"role": "user", "content": INPUT},
        {"type": "function_call", "call_id": "call_1", "name": "weather", "arguments": '{"city":"Lyon"}'},
        {"type": "function_call_output", "call_id": "call_1", "output": "20 °C"},
    ]
    with stack.client(max_retries=0) as client:
        counted = client.responses.input_tokens.count(model=stack.model, input=items)
    answer = whole(stack, input=items, max_output_tokens=1)
    assert answer.usage is not None
    assert counted.input_tokens == answer.usage.input_tokens


def test_the_node_client_asks_streams_parses_and_calls(stack: Stack) -> None:
    variables = {"OPENAI_BASE_URL": stack.base_url, "OPENAI_API_KEY": stack.api_key}
    told = json.loads(run(variables, NODE, PROGRAMS / "responses.mjs", stack.model))
    assert told["whole"] == told["streamed"] == told["final"]
    assert told["count"] == told["usage"]
    assert set(told["parsed"]) == {"day", "is_open"}
    assert set(told["called"]) == {"day", "is_open"}
    assert told["answered"] in ("completed", "incomplete")
    assert told["refused"] == {"status": 400, "code": "unsupported_parameter", "param": "store"}
    assert told["cut"] == {"status": "incomplete", "reason": "max_output_tokens"}


def test_a_call_with_logprobs_is_one_item(stack: Stack) -> None:
    for answer in (
        whole(stack, tools=[WEATHER], tool_choice=FORCED, **LOGPROBS),
        streamed(stack, tools=[WEATHER], tool_choice=FORCED, **LOGPROBS)[-1].response,
    ):
        assert call_of(answer).name == "weather"
