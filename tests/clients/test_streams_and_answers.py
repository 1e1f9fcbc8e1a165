"""Whatever is asked for: what a stream puts together is the whole answer, and so are its counts."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeAlias

import openai
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types import CompletionChoice, CompletionUsage

from tests.system.stack_process import Stack

pytestmark = pytest.mark.system

# So many are asked at once.
REQUESTS_PER_RUN: Final = 8
RUNS: Final = 10
# What is compared of an answer, or of its refusal.
Said: TypeAlias = Any
Ask: TypeAlias = Callable[[openai.AsyncOpenAI, dict[str, Any]], Awaitable[Said]]

OPENING: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "day": {"enum": ["lundi", "größte", "🌊"]},
        "note": {"type": "string", "maxLength": 8},
        "hours": {"type": "array", "items": {"type": "integer", "minimum": 0, "maximum": 24}, "maxItems": 3},
    },
    "required": ["day", "note", "hours"],
    "additionalProperties": False,
}


def _tool(name: str, parameters: dict[str, Any]) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, "strict": True, "parameters": parameters}}


TOOLS: Final = [
    _tool("opening", OPENING),
    _tool("nothing", {"type": "object", "properties": {}, "additionalProperties": False}),
]
_CHOICES: Final[list[Any]] = [
    "none",
    "auto",
    "required",
    {"type": "function", "function": {"name": "opening"}},
    {"type": "function", "function": {"name": "nothing"}},
    *(
        {
            "type": "allowed_tools",
            "allowed_tools": {"mode": mode, "tools": [{"type": "function", "function": {"name": "opening"}}]},
        }
        for mode in ("auto", "required")
    ),
]
_FORMATS: Final[list[dict[str, Any]]] = [
    {"type": "text"},
    {"type": "json_object"},
    {"type": "json_schema", "json_schema": {"name": "opening", "strict": True, "schema": OPENING}},
]
_WORDS: Final = st.sampled_from(["a", "e", " ", "on", "é", "\n", "la ", ".", "🌊", '"', "}"])
SAMPLING: Final[dict[str, st.SearchStrategy[Any]]] = {
    "n": st.integers(1, 4),
    "stop": _WORDS | st.lists(_WORDS, max_size=4, unique=True),
    "presence_penalty": st.floats(-2, 2, width=16),
    "frequency_penalty": st.floats(-2, 2, width=16),
    "logit_bias": st.dictionaries(st.integers(8, 200).map(str), st.sampled_from([-100, -1, 5]), max_size=3),
    "min_tokens": st.integers(0, 4),
    "repetition_penalty": st.sampled_from([0.9, 1, 1.3]),
    "stop_token_ids": st.lists(st.integers(8, 400), max_size=3),
}
# The tokens of each choice's answer are likelier to be cut here than not.
_LENGTHS: Final = st.integers(4, 48)
_GREEDY: Final = st.just({"temperature": 0}) | st.integers(0, 99).map(
    lambda seed: {"temperature": 1, "top_k": 20, "seed": seed}
)


def _with_tools(choice: Any, parallel: bool) -> dict[str, Any]:
    return {"tools": TOOLS, "tool_choice": choice, "parallel_tool_calls": parallel}


def _with_functions(choice: Any) -> dict[str, Any]:
    return {"functions": [tool["function"] for tool in TOOLS], "function_call": choice}


CHATS: Final = st.builds(
    lambda *parts: {name: value for part in parts for name, value in part.items()},
    st.sampled_from(["Bonjour.", "Écris un mot sur la mer, s'il te plaît. 🌊", "Wer ist da?"]).map(
        lambda text: {"messages": [{"role": "user", "content": text}]}
    ),
    _GREEDY,
    st.fixed_dictionaries(
        {"max_completion_tokens": _LENGTHS},
        optional={**SAMPLING, "response_format": st.sampled_from(_FORMATS)},
    ),
    st.just({})
    | st.builds(_with_tools, st.sampled_from(_CHOICES), st.booleans())
    | st.builds(_with_functions, st.sampled_from(["none", "auto", {"name": "opening"}, {"name": "nothing"}])),
    st.just({}) | st.integers(0, 5).map(lambda top: {"logprobs": True, "top_logprobs": top}),
)
_PROMPT: Final = st.sampled_from(["Il était une fois", "The sea 🌊", "é"])
COMPLETIONS: Final = st.builds(
    lambda *parts: {name: value for part in parts for name, value in part.items()},
    (_PROMPT | st.lists(_PROMPT, min_size=1, max_size=3)).map(lambda prompt: {"prompt": prompt}),
    _GREEDY,
    st.fixed_dictionaries({"max_tokens": _LENGTHS}, optional=SAMPLING),
    st.sampled_from([{}, {"echo": True}, {"logprobs": 0}, {"logprobs": 3}]),
)
STREAMED: Final[dict[str, Any]] = {"stream": True, "stream_options": {"include_usage": True}}
# These vLLM alone knows, so that the SDK has no argument for them.
_EXTRA: Final = frozenset(
    {"chat_template_kwargs", "include_reasoning", "min_tokens", "repetition_penalty", "stop_token_ids"}
    | {"thinking_token_budget", "top_k"}
)


def arguments(stack: Stack, asked: dict[str, Any]) -> dict[str, Any]:
    known = {name: value for name, value in asked.items() if name not in _EXTRA}
    extra = {name: value for name, value in asked.items() if name in _EXTRA}
    return {"model": stack.model, "extra_body": extra, **known}


def counts(usage: CompletionUsage | None) -> tuple[int | None, ...]:
    assert usage is not None
    details = usage.completion_tokens_details
    assert details is not None
    return usage.prompt_tokens, usage.completion_tokens, usage.total_tokens, details.reasoning_tokens


def said_of_chat(answer: Any) -> Said:  # a ChatCompletion, or what a stream has put together
    return counts(answer.usage), [
        (
            choice.index,
            choice.finish_reason,
            choice.message.role,
            choice.message.content or None,
            getattr(choice.message, "reasoning_content", None),
            choice.message.refusal,
            [(call.function.name, call.function.arguments) for call in choice.message.tool_calls or ()],
            (call := choice.message.function_call) and (call.name, call.arguments),
            tokens_of(choice.logprobs),
        )
        for choice in answer.choices
    ]


def tokens_of(logprobs: Any) -> list[tuple[Any, ...]] | None:
    """The tokens that came; which are told beside them is a matter of taste where all else is impossible."""
    if logprobs is None:
        return None
    return [(each.token, each.bytes, len(each.top_logprobs)) for each in logprobs.content or ()]


async def whole_chat(client: openai.AsyncOpenAI, request: dict[str, Any]) -> Said:
    return said_of_chat(await client.chat.completions.create(**request))


async def streamed_chat(client: openai.AsyncOpenAI, request: dict[str, Any]) -> Said:
    """What the SDK's own accumulator makes of the stream."""
    state: ChatCompletionStreamState[None] = ChatCompletionStreamState()
    stream: Any = await client.chat.completions.create(**request, **STREAMED)
    async for chunk in stream:
        state.handle_chunk(chunk)
    return said_of_chat(state.current_completion_snapshot)


def said_of_completion(usage: CompletionUsage | None, choices: list[CompletionChoice]) -> Said:
    return counts(usage), [
        (
            choice.index,
            choice.finish_reason,
            choice.text,
            choice.logprobs and (choice.logprobs.tokens, choice.logprobs.text_offset),
        )
        for choice in choices
    ]


async def whole_completion(client: openai.AsyncOpenAI, request: dict[str, Any]) -> Said:
    answer = await client.completions.create(**request)
    return said_of_completion(answer.usage, answer.choices)


async def streamed_completion(client: openai.AsyncOpenAI, request: dict[str, Any]) -> Said:
    choices: dict[int, CompletionChoice] = {}
    usage = None
    stream: Any = await client.completions.create(**request, **STREAMED)
    async for chunk in stream:
        usage = chunk.usage or usage
        for told in chunk.choices:
            choice = choices.setdefault(told.index, told)
            if choice is not told:
                _append(choice, told)
    return said_of_completion(usage, [choices[index] for index in sorted(choices)])


def _append(choice: CompletionChoice, told: CompletionChoice) -> None:
    choice.text += told.text
    choice.finish_reason = told.finish_reason
    if choice.logprobs is not None and told.logprobs is not None:
        (choice.logprobs.tokens or []).extend(told.logprobs.tokens or ())
        (choice.logprobs.text_offset or []).extend(told.logprobs.text_offset or ())


async def said(ask: Ask, client: openai.AsyncOpenAI, request: dict[str, Any]) -> Said:
    """What is answered, or how it is refused."""
    try:
        return await ask(client, request)
    except openai.APIError as refusal:
        # Within a stream that has waited, it has no status.
        return refusal.code, refusal.param, refusal.message


async def compare(stack: Stack, whole: Ask, streamed: Ask, requests: list[dict[str, Any]]) -> None:
    asked = [arguments(stack, request) for request in requests]
    async with stack.async_client(max_retries=0, timeout=120) as client, asyncio.timeout(200):
        calls = (said(ask, client, request) for request in asked for ask in (whole, streamed))
        answers = await asyncio.gather(*calls)
    for request, one, other in zip(asked, answers[::2], answers[1::2], strict=True):
        assert one == other, request


def many(requests: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[list[dict[str, Any]]]:
    return st.lists(requests, min_size=REQUESTS_PER_RUN, max_size=REQUESTS_PER_RUN)


bounded = settings(
    max_examples=RUNS,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@bounded
@given(many(CHATS))
def test_the_stream_of_any_chat_is_its_whole_answer(stack: Stack, requests: list[dict[str, Any]]) -> None:
    asyncio.run(compare(stack, whole_chat, streamed_chat, requests))


@bounded
@given(many(COMPLETIONS))
def test_the_stream_of_any_completion_is_its_whole_answer(
    stack: Stack, requests: list[dict[str, Any]]
) -> None:
    asyncio.run(compare(stack, whole_completion, streamed_completion, requests))
