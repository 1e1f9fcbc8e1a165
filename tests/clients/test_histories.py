"""Conversations as programs keep them and send them back, with OpenAI's Python client."""

import json
from typing import Any

import pytest

from tests.system.stack_process import Stack

pytestmark = pytest.mark.system

QUESTION: Any = {"role": "user", "content": "Bonjour, qui es-tu ?"}
AGAIN: Any = {"role": "user", "content": "Et encore ?"}
CALL: Any = {"id": "call_1", "type": "function", "function": {"name": "heure", "arguments": ""}}
REFUSED: Any = {"type": "refusal", "refusal": "Je ne peux pas."}
TURNS: dict[str, list[Any]] = {
    "a refusal as a part": [{"role": "assistant", "content": [REFUSED]}],
    "a text and a refusal": [{"role": "assistant", "content": [{"type": "text", "text": "Hm."}, REFUSED]}],
    "a refusal beside no content": [{"role": "assistant", "content": None, "refusal": "Je ne peux pas."}],
    "a part of Responses": [{"role": "assistant", "content": [{"type": "output_text", "text": "Hm."}]}],
    "a tool that brought nothing": [
        {"role": "assistant", "content": None, "tool_calls": [CALL]},
        {"role": "tool", "tool_call_id": "call_1", "content": None},
    ],
    "a tool that answered in parts": [
        {"role": "assistant", "tool_calls": [CALL]},
        {
            "role": "tool",
            "tool_call_id": "call_1",
            "name": "heure",
            "content": [{"type": "text", "text": "8"}],
        },
    ],
    "all that a message may have, as null": [
        {
            "role": "assistant",
            "content": "Hm.",
            "audio": None,
            "function_call": None,
            "tool_calls": None,
            "refusal": None,
            "annotations": [],
            "reasoning_content": "Hm ?",
        }
    ],
}


@pytest.mark.parametrize("turns", TURNS.values(), ids=list(TURNS))
def test_a_turn_of_a_history_is_understood(stack: Stack, turns: list[Any]) -> None:
    with stack.client(max_retries=0) as client:
        answer = client.chat.completions.create(
            model=stack.model, messages=[QUESTION, *turns, AGAIN], max_tokens=4, stop=""
        )
    assert answer.choices[0].finish_reason in ("stop", "length")


@pytest.mark.parametrize("as_json", [False, True])
def test_an_answer_goes_back_as_it_came(stack: Stack, as_json: bool) -> None:
    with stack.client(max_retries=0) as client:
        asked: Any = {"model": stack.model, "max_tokens": 8, "temperature": 0}
        message = client.chat.completions.create(messages=[QUESTION], **asked).choices[0].message
        back: Any = message.model_dump() if as_json else message
        answer = client.chat.completions.create(messages=[QUESTION, back, AGAIN], **asked)
    assert answer.usage is not None
    assert answer.usage.prompt_tokens > 8


def test_a_response_that_was_refused_goes_back_with_its_refusal(stack: Stack) -> None:
    refused: Any = {
        "type": "message",
        "id": "msg_1",
        "role": "assistant",
        "status": "completed",
        "content": [REFUSED],
    }
    with stack.client(max_retries=0) as client:
        items = [QUESTION, refused, AGAIN]
        answer = client.responses.create(model=stack.model, input=items, max_output_tokens=16)
    assert answer.status in ("completed", "incomplete")


def test_a_call_that_was_cut_goes_back_with_what_came_of_it(stack: Stack) -> None:
    parameters = {
        "type": "object",
        "properties": {"ville": {"type": "string", "minLength": 200}},
        "required": ["ville"],
    }
    tools: Any = [{"type": "function", "function": {"name": "heure", "parameters": parameters}}]
    asked: Any = {"messages": [QUESTION], "tools": tools, "tool_choice": "required"}
    with stack.client(max_retries=0) as client:
        (choice,) = client.chat.completions.create(model=stack.model, max_tokens=50, **asked).choices
        (call,) = choice.message.tool_calls
        assert choice.finish_reason == "length"
        with pytest.raises(json.JSONDecodeError):
            json.loads(call.function.arguments)
        told: Any = {"role": "tool", "tool_call_id": call.id, "content": "Ce n'est pas du JSON."}
        answer = client.chat.completions.create(
            model=stack.model, messages=[QUESTION, choice.message, told], max_tokens=8, temperature=0
        )
    assert answer.choices[0].message.content
