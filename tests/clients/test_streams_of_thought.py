"""A model that thinks first: what a stream puts together is the whole answer, thought, said and called."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Final

import openai
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletionChunk

from tests.clients.test_streams_and_answers import (
    CHATS,
    STREAMED,
    Said,
    bounded,
    compare,
    many,
    said_of_chat,
    whole_chat,
)
from tests.system.stack_process import Stack

pytestmark = pytest.mark.system

_EFFORTS: Final = ("none", "minimal", "low", "medium", "high", "xhigh")
_TOLD: Final = (
    st.sampled_from(_EFFORTS).map(lambda effort: {"reasoning_effort": effort})
    | st.booleans().map(lambda is_on: {"chat_template_kwargs": {"enable_thinking": is_on}})
    | st.just({"reasoning_effort": "none", "chat_template_kwargs": {"enable_thinking": True}})
)
# An answer is as likely to end within its reasoning, at its mark or behind it.
THOUGHT: Final = st.builds(
    lambda *parts: {name: value for part in parts for name, value in part.items()},
    _TOLD,
    st.fixed_dictionaries(
        {}, optional={"thinking_token_budget": st.integers(0, 24), "include_reasoning": st.booleans()}
    ),
)
THINKING: Final = st.builds(lambda chat, thought: chat | thought, CHATS, THOUGHT)
# Marks, and what stands around them.
_MARKS: Final = ["</think>", "think", "<", "\n", "</think>\n"]


async def streamed_in_order(client: openai.AsyncOpenAI, request: dict[str, Any]) -> Said:
    """What the SDK's own accumulator makes of the stream, whose chunks come as every client expects them."""
    state: ChatCompletionStreamState[None] = ChatCompletionStreamState()
    stream: Any = await client.chat.completions.create(**request, **STREAMED)
    chunks = []
    async for chunk in stream:
        chunks.append(chunk)
        state.handle_chunk(chunk)
    check_order(chunks, request.get("n") or 1)
    if request["extra_body"].get("include_reasoning") is False:
        assert not any(thought_of(choice.delta) for chunk in chunks for choice in chunk.choices)
    return said_of_chat(state.current_completion_snapshot)


def thought_of(delta: Any) -> str:  # of a chunk, whose extra fields have no type
    return getattr(delta, "reasoning_content", None) or ""


def check_order(chunks: Sequence[ChatCompletionChunk], choices: int) -> None:
    """A choice is its role, then what is thought, said and called, then its end; counts come last."""
    steps: defaultdict[int, list[str]] = defaultdict(list)
    for chunk in chunks:
        for choice in chunk.choices:
            steps[choice.index] += _steps_of(choice)
    assert sorted(steps) == list(range(choices))
    for told in steps.values():
        assert (told[0], told[-1]) == ("role", "finish")
        assert told == sorted(told, key=_ORDER.index)
        assert (told.count("role"), told.count("finish")) == (1, 1)
    assert [bool(chunk.usage) for chunk in chunks] == [False] * (len(chunks) - 1) + [True]
    assert not chunks[-1].choices


_ORDER: Final = ("role", "thought", "said", "called", "finish")


def _steps_of(choice: Any) -> list[str]:  # of a chunk
    delta = choice.delta
    found = {
        "role": delta.role,
        "thought": thought_of(delta),
        "said": delta.content,
        "called": delta.tool_calls,
        "finish": choice.finish_reason,
    }
    return [name for name in _ORDER if found[name]]


@bounded
@given(many(THINKING))
def test_the_stream_of_a_chat_that_thinks_is_its_whole_answer(
    stack: Stack, requests: list[dict[str, Any]]
) -> None:
    asyncio.run(compare(stack, whole_chat, streamed_in_order, requests))


@settings(bounded, max_examples=4)
@given(many(st.builds(lambda chat, mark: chat | {"stop": mark}, THINKING, st.sampled_from(_MARKS))))
def test_a_stop_string_within_the_reasoning_ends_stream_and_answer_alike(
    stack: Stack, requests: list[dict[str, Any]]
) -> None:
    asyncio.run(compare(stack, whole_chat, streamed_in_order, requests))


def test_sixteen_choices_that_think_for_as_long_as_they_may(stack: Stack) -> None:
    request: dict[str, Any] = {
        "messages": [{"role": "user", "content": "Wer ist da?"}],
        "n": 16,
        "temperature": 1,
        "seed": 3,
        "max_completion_tokens": 40,
        "chat_template_kwargs": {"enable_thinking": True},
    }
    budgets = ({"thinking_token_budget": budget} for budget in (0, 1, 5, 12))
    requests = [request | budget | more for budget in budgets for more in ({}, {"logprobs": True})]
    asyncio.run(compare(stack, whole_chat, streamed_in_order, requests))
