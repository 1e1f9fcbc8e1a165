"""Several choices and logprobs, as the official Python client asks for them and reads them."""

import json
from collections import defaultdict
from typing import Any

import openai
import pytest
from openai.types.chat import ChatCompletion

from tests.system.stack_process import Stack

pytestmark = pytest.mark.system

MESSAGES: Any = [{"role": "user", "content": "Écris un mot sur la mer, s'il te plaît."}]
GREEDY: Any = {"temperature": 0, "max_completion_tokens": 24}


def whole(stack: Stack, **asked: Any) -> ChatCompletion:
    with stack.client(max_retries=0) as client:
        answer: ChatCompletion = client.chat.completions.create(model=stack.model, messages=MESSAGES, **asked)
        return answer


def streamed(stack: Stack, **asked: Any) -> ChatCompletion:
    """The answer that the client's own helper puts together from a stream."""
    with (
        stack.client(max_retries=0) as client,
        client.chat.completions.stream(
            model=stack.model, messages=MESSAGES, stream_options={"include_usage": True}, **asked
        ) as stream,
    ):
        for _ in stream:
            pass
        # Not the final one: that raises where an answer reached its most tokens.
        return stream.current_completion_snapshot


def test_each_choice_has_its_index_its_text_and_its_end(stack: Stack) -> None:
    answer = whole(stack, n=3, seed=11, max_completion_tokens=16, extra_body={"ignore_eos": True})
    assert [choice.index for choice in answer.choices] == [0, 1, 2]
    assert {choice.finish_reason for choice in answer.choices} == {"length"}
    assert len({choice.message.content for choice in answer.choices}) > 1
    assert answer.usage is not None
    assert answer.usage.completion_tokens == 3 * 16


def test_a_stream_of_several_choices_says_what_the_whole_answer_says(stack: Stack) -> None:
    asked: Any = {"n": 3, "seed": 11, "max_completion_tokens": 24}
    one, other = whole(stack, **asked), streamed(stack, **asked)
    for choice, same in zip(one.choices, other.choices, strict=True):
        assert (choice.index, choice.message.content) == (same.index, same.message.content)
        assert choice.finish_reason == same.finish_reason
    assert one.usage is not None
    assert other.usage is not None
    assert one.usage.completion_tokens == other.usage.completion_tokens


def test_a_stream_says_who_speaks_in_each_choice_before_its_text(stack: Stack) -> None:
    deltas = defaultdict(list)
    with stack.client(max_retries=0) as client:
        for chunk in client.chat.completions.create(
            model=stack.model, messages=MESSAGES, n=2, stream=True, max_completion_tokens=8
        ):
            for choice in chunk.choices:
                deltas[choice.index].append(choice.delta)
    assert sorted(deltas) == [0, 1]
    for told in deltas.values():
        assert told[0].role == "assistant"
        assert not any(delta.role for delta in told[1:])


def test_several_greedy_choices_are_served(stack: Stack) -> None:
    assert len(whole(stack, n=2, **GREEDY).choices) == 2


def test_a_quota_holds_what_all_choices_may_use(stack: Stack) -> None:
    created = stack.comptoir("keys", "create", "--tokens-per-minute", "1000", "--json").stdout
    key = json.loads(created)["api_key"]
    with stack.client(max_retries=0, api_key=key) as client:
        asked: Any = {"model": stack.model, "messages": MESSAGES, "max_completion_tokens": 400}
        client.chat.completions.create(**asked)
        with pytest.raises(openai.BadRequestError) as refusal:
            client.chat.completions.create(n=3, **asked)
    assert refusal.value.code == "quota_too_small"


@pytest.mark.parametrize("top", [0, 3])
def test_every_token_has_its_logprob_and_its_bytes(stack: Stack, top: int) -> None:
    asked: Any = {"logprobs": True, "top_logprobs": top, **GREEDY}
    answer = whole(stack, **asked)
    (choice,) = answer.choices
    assert choice.logprobs is not None
    tokens = choice.logprobs.content or []
    assert answer.usage is not None
    assert len(tokens) == answer.usage.completion_tokens
    said = b"".join(bytes(token.bytes or ()) for token in tokens).decode()
    assert said.startswith(choice.message.content or "-")
    assert all(len(token.top_logprobs) == top for token in tokens)
    (same,) = streamed(stack, **asked).choices
    assert same.logprobs == choice.logprobs
    assert same.message.content == choice.message.content


def test_an_answer_without_logprobs_has_none(stack: Stack) -> None:
    assert whole(stack, **GREEDY).choices[0].logprobs is None
