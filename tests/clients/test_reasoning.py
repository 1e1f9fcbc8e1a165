"""Reasoning and classes as the official Python client has them, streamed and whole, of a real model."""

import json
from typing import Any

import openai
import pytest

from tests.system.stack_process import Stack

pytestmark = pytest.mark.system

MESSAGES: Any = [{"role": "user", "content": "Quel temps fera-t-il ?"}]
THINKING: Any = {"chat_template_kwargs": {"enable_thinking": True}, "thinking_token_budget": 12}
SCHEMA: Any = {
    "type": "json_schema",
    "json_schema": {
        "name": "weather",
        "schema": {"type": "object", "properties": {"dry": {"type": "boolean"}}, "required": ["dry"]},
    },
}


def ask(client: openai.OpenAI, **asked: Any) -> Any:
    told = {"model": "tiny-eu", "messages": MESSAGES, "temperature": 0, "max_tokens": 64}
    return client.chat.completions.create(**(told | asked))


def test_reasoning_comes_apart_from_the_answer_streamed_and_whole(stack: Stack) -> None:
    with stack.client(max_retries=0) as client:
        whole = ask(client, extra_body=THINKING)
        chunks = list(ask(client, extra_body=THINKING, stream=True, stream_options={"include_usage": True}))
        deltas = [choice.delta for chunk in chunks for choice in chunk.choices]
        message = whole.choices[0].message
        assert message.reasoning_content
        assert "think" not in message.reasoning_content + message.content
        assert "".join(getattr(delta, "reasoning_content", None) or "" for delta in deltas) == (
            message.reasoning_content
        )
        assert "".join(delta.content or "" for delta in deltas) == message.content
        assert 0 < whole.usage.completion_tokens_details.reasoning_tokens <= whole.usage.completion_tokens
        assert chunks[-1].usage.completion_tokens_details == whole.usage.completion_tokens_details
        plain = ask(client)
        assert not hasattr(plain.choices[0].message, "reasoning_content")
        assert plain.usage.completion_tokens_details.reasoning_tokens == 0


def test_a_schema_holds_behind_the_reasoning(stack: Stack) -> None:
    with stack.client(max_retries=0) as client:
        answer = ask(client, extra_body=THINKING, response_format=SCHEMA)
        assert answer.choices[0].message.reasoning_content
        assert isinstance(json.loads(answer.choices[0].message.content)["dry"], bool)


def test_an_answer_that_ends_within_its_reasoning_has_no_content(stack: Stack) -> None:
    with stack.client(max_retries=0) as client:
        answer = ask(client, reasoning_effort="minimal", max_tokens=4)
        assert answer.choices[0].finish_reason == "length"
        assert answer.choices[0].message.content is None


def test_the_words_of_qwens_own_api_say_the_same(stack: Stack) -> None:
    with stack.client(max_retries=0) as client:
        ours = ask(client, extra_body=THINKING)
        theirs = ask(client, extra_body={"enable_thinking": True, "thinking_budget": 12})
        assert theirs.choices[0].message == ours.choices[0].message
        assert theirs.usage.completion_tokens_details == ours.usage.completion_tokens_details


def test_what_the_catalog_does_not_permit_is_refused_by_its_name(stack: Stack) -> None:
    with stack.client(max_retries=0) as client:
        for arguments in ({"geheim": True}, {"enable_thinking": "geheim"}):
            with pytest.raises(openai.BadRequestError) as refusal:
                ask(client, extra_body={"chat_template_kwargs": arguments})
            assert refusal.value.param == "chat_template_kwargs"
            assert "geheim" not in str(refusal.value)


def test_a_class_is_the_keys_best_at_most_and_the_answer_says_it(stack: Stack) -> None:
    with stack.client(max_retries=0) as client:
        assert ask(client, service_tier="flex").service_tier == "flex"
        # The key's best class is the default one.
        assert ask(client, service_tier="priority").service_tier == "default"
        assert ask(client).service_tier is None
        with pytest.raises(openai.BadRequestError) as refusal:
            ask(client, extra_headers={"x-comptoir-priority": "geheim"})
        assert refusal.value.param == "x-comptoir-priority"
