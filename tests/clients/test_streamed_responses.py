"""Whatever is asked of Responses: what a stream's events bring is the whole answer, and so are its counts."""

import asyncio
from collections import defaultdict
from typing import Any, Final

import openai
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openai.types.responses import Response

from tests.clients.test_streams_and_answers import (
    OPENING,
    REQUESTS_PER_RUN,
    SAMPLING,
    Said,
    compare,
)
from tests.system.stack_process import Stack

pytestmark = pytest.mark.system

RUNS: Final = 5
_TEXTS: Final = (
    "response.output_text.delta",
    "response.function_call_arguments.delta",
    "response.reasoning_text.delta",
)
TOOLS: Final = [
    {"type": "function", "name": name, "strict": True, "parameters": parameters}
    for name, parameters in (
        ("opening", OPENING),
        ("nothing", {"type": "object", "properties": {}, "additionalProperties": False}),
    )
]
_CHOICES: Final[list[Any]] = [
    "none",
    "auto",
    "required",
    {"type": "function", "name": "opening"},
    {"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "nothing"}]},
]
_FORMATS: Final[list[dict[str, Any]]] = [
    {"type": "text"},
    {"type": "json_object"},
    {"type": "json_schema", "name": "opening", "strict": True, "schema": OPENING},
]
# The SDK has no arguments for most of sampling.
_EXTRA: Final = st.fixed_dictionaries({}, optional={**SAMPLING, "n": st.just(1), "seed": st.integers(0, 99)})
_EFFORT: Final = st.sampled_from(["none", "minimal", "low", "high"]).map(
    lambda effort: {"reasoning": {"effort": effort}}
)
_BUDGET: Final = st.fixed_dictionaries(
    {}, optional={"thinking_token_budget": st.integers(0, 24), "include_reasoning": st.booleans()}
)
REQUESTS: Final = st.builds(
    lambda extra, *parts: {"extra_body": extra, **{name: part[name] for part in parts for name in part}},
    _EXTRA,
    st.sampled_from(["Bonjour.", "Écris un mot sur la mer, s'il te plaît. 🌊"]).map(
        lambda text: {"input": text}
    ),
    st.fixed_dictionaries(
        {"temperature": st.just(0), "max_output_tokens": st.integers(1, 48)},
        optional={
            "text": st.sampled_from(_FORMATS).map(lambda form: {"format": form}),
            "instructions": st.just("Sois bref."),
            "parallel_tool_calls": st.booleans(),
        },
    ),
    st.just({}) | st.sampled_from(_CHOICES).map(lambda choice: {"tools": TOOLS, "tool_choice": choice}),
    st.just({})
    | st.integers(0, 5).map(lambda top: {"include": ["message.output_text.logprobs"], "top_logprobs": top}),
)

THINKING: Final = st.builds(
    lambda request, effort, budget, is_switched: {
        **request,
        **({} if is_switched else effort),
        "extra_body": {
            **request["extra_body"],
            **budget,
            **({"chat_template_kwargs": {"enable_thinking": True}} if is_switched else {}),
        },
    },
    REQUESTS,
    _EFFORT,
    _BUDGET,
    st.booleans(),
)


def said_of(answer: Response) -> Said:
    assert answer.usage is not None
    usage = answer.usage
    details = usage.output_tokens_details
    counts = (usage.input_tokens, usage.output_tokens, usage.total_tokens, details.reasoning_tokens)
    return counts, answer.status, [_said_of_item(item) for item in answer.output]


def _said_of_item(item: Any) -> Said:  # any of the SDK's output items
    """Its text first."""
    if item.type == "reasoning":
        return "".join(part.text for part in item.content or ()), item.type, item.status
    if item.type == "function_call":
        return item.arguments, item.name, item.status
    (part,) = item.content
    return part.text, [(token.token, token.bytes) for token in part.logprobs or ()], item.status


async def whole(client: openai.AsyncOpenAI, request: dict[str, Any]) -> Said:
    return said_of(await client.responses.create(**request))


async def streamed(client: openai.AsyncOpenAI, request: dict[str, Any]) -> Said:
    """What the last event says, which is what the others have brought."""
    texts: defaultdict[int, str] = defaultdict(str)
    last: Any = None
    numbers, begun, ended = [], [], []
    stream: Any = await client.responses.create(**request, stream=True)
    async for event in stream:
        numbers.append(event.sequence_number)
        if event.type in _TEXTS:
            texts[event.output_index] += event.delta
        if event.type == "response.output_item.added":
            begun.append(event.output_index)
        if event.type == "response.output_item.done":
            ended.append((event.output_index, _said_of_item(event.item)))
        last = event
    assert numbers == list(range(len(numbers)))
    assert last.type == f"response.{last.response.status}"
    told = said_of(last.response)
    assert [texts[index] for index in range(len(told[2]))] == [item[0] for item in told[2]]
    assert begun == list(range(len(told[2])))
    assert ended == list(enumerate(told[2]))
    # What is thought comes first, in one item.
    assert "reasoning" not in [item.type for item in last.response.output[1:]]
    return told


@given(st.lists(REQUESTS, min_size=REQUESTS_PER_RUN, max_size=REQUESTS_PER_RUN))
@settings(max_examples=RUNS, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_a_streamed_response_is_the_whole_one(stack: Stack, requests: list[dict[str, Any]]) -> None:
    asyncio.run(compare(stack, whole, streamed, requests))


@given(st.lists(THINKING, min_size=REQUESTS_PER_RUN, max_size=REQUESTS_PER_RUN))
@settings(max_examples=RUNS, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_a_streamed_response_that_thinks_is_the_whole_one(
    stack: Stack, requests: list[dict[str, Any]]
) -> None:
    asyncio.run(compare(stack, whole, streamed, requests))
