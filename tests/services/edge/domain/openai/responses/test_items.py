"""Items of an input are the turns of a chat, and what is none is named."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.edge.domain.generation import Message, Role
from services.edge.domain.openai.responses.request import parse_response
from services.edge.domain.tools import ToolCall
from services.kernel.errors import Reason
from tests.services.edge.domain.openai.responses.requests import REQUEST, refusal

USER: dict[str, Any] = {"role": "user", "content": "Bonjour"}
CALL: dict[str, Any] = {
    "type": "function_call",
    "call_id": "call_1",
    "name": "time",
    "arguments": '{"zone":"fr"}',
}
OUTPUT: dict[str, Any] = {"type": "function_call_output", "call_id": "call_1", "output": "midi"}
SAID = ToolCall("call_1", "time", '{"zone":"fr"}')


def messages(*items: Any, **asked: Any) -> tuple[Message, ...]:
    return parse_response(REQUEST | {"input": list(items)} | asked).generation.messages


@given(st.text())
def test_a_text_is_what_a_user_says(text: str) -> None:
    assert parse_response(REQUEST | {"input": text}).generation.messages == (Message(Role.USER, text),)


def test_instructions_come_first() -> None:
    assert messages(USER, instructions="Sois bref.") == (
        Message(Role.SYSTEM, "Sois bref."),
        Message(Role.USER, "Bonjour"),
    )


def test_a_message_is_a_text_or_parts_with_and_without_its_type() -> None:
    parts = [{"type": "input_text", "text": "a"}, {"type": "input_text", "text": "b"}]
    own = [{"type": "output_text", "text": "c", "annotations": [], "logprobs": []}]
    told = messages(
        {"type": "message", "role": "developer", "content": parts},
        {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed", "content": own},
        USER,
    )
    assert told == (
        Message(Role.SYSTEM, "a\nb", ("a", "b")),
        Message(Role.ASSISTANT, "c"),
        Message(Role.USER, "Bonjour"),
    )


def test_what_an_earlier_response_refused_is_what_it_said() -> None:
    own = [{"type": "refusal", "refusal": "Je ne peux pas."}]
    told = messages(USER, {"type": "message", "role": "assistant", "content": own}, USER)
    assert told[1] == Message(Role.ASSISTANT, "Je ne peux pas.")


def test_what_a_model_said_and_called_is_one_turn() -> None:
    spoken = {"role": "assistant", "content": "Je regarde."}
    other = CALL | {"call_id": "call_2"}
    thought = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "x"}
    told = messages(USER, thought, spoken, CALL, other, OUTPUT, OUTPUT | {"call_id": "call_2"}, CALL)
    assert told[1] == Message(
        Role.ASSISTANT, "Je regarde.", tool_calls=(SAID, ToolCall("call_2", "time", SAID.arguments))
    )
    assert told[2:4] == (
        Message(Role.TOOL, "midi", tool_call_id="call_1"),
        Message(Role.TOOL, "midi", tool_call_id="call_2"),
    )
    assert told[4:] == (Message(Role.ASSISTANT, "", tool_calls=(SAID,)),)


def test_a_reference_to_a_train_of_thought_is_no_part_of_the_prompt_as_the_thought_itself_is_none() -> None:
    reference = {"type": "item_reference", "id": "rs_0f_0"}
    assert messages(USER, reference, CALL, OUTPUT) == messages(USER, CALL, OUTPUT)


def test_what_a_call_brought_may_be_parts() -> None:
    parts = [{"type": "input_text", "text": "midi"}]
    assert messages(USER, CALL, OUTPUT | {"output": parts})[2] == Message(
        Role.TOOL, "midi", tool_call_id="call_1"
    )
    assert messages(USER, CALL | {"arguments": " "})[1].tool_calls[0].arguments == "{}"


@pytest.mark.parametrize(
    ("item", "field", "reason"),
    [
        ({"content": "a"}, "role", Reason.REQUEST_INVALID),
        ({"role": "tool", "content": "a"}, "role", Reason.REQUEST_INVALID),
        ({"role": "user"}, "content", Reason.REQUEST_INVALID),
        ({"role": "user", "content": [{"type": "input_text"}]}, "content", Reason.REQUEST_INVALID),
        ({"role": "user", "content": [{"type": "input_image"}]}, "content", Reason.PARAMETER_UNSUPPORTED),
        ({"type": "item_reference", "id": "msg_1"}, "type", Reason.PARAMETER_UNSUPPORTED),
        ({"type": "item_reference"}, "type", Reason.PARAMETER_UNSUPPORTED),
        (USER | {"id": 1}, "id", Reason.REQUEST_INVALID),
        ({"type": "web_search_call"}, "type", Reason.PARAMETER_UNSUPPORTED),
        (CALL | {"call_id": None}, "call_id", Reason.REQUEST_INVALID),
        (CALL | {"name": None}, "name", Reason.REQUEST_INVALID),
        (CALL | {"name": "é"}, "name", Reason.REQUEST_INVALID),
        (CALL | {"arguments": "[" * 20_001}, "arguments", Reason.REQUEST_INVALID),
        (OUTPUT | {"call_id": ""}, "call_id", Reason.REQUEST_INVALID),
        (OUTPUT | {"output": None}, "output", Reason.REQUEST_INVALID),
        (OUTPUT | {"output": [{"type": "input_image"}]}, "output", Reason.PARAMETER_UNSUPPORTED),
    ],
)
def test_an_item_that_is_not_served_is_named(item: Any, field: str, reason: Reason) -> None:
    error = refusal(input=[USER, item])
    assert (error.field.replace("input[]", "input[1]"), error.reason) == (f"input[1].{field}", reason)


@pytest.mark.parametrize(
    "nothing", [None, [], 1, [{"type": "reasoning"}], [USER] * 1024], ids=["null", "empty", "1", "r", "1024"]
)
def test_an_input_has_something_to_answer(nothing: Any) -> None:
    assert refusal(input=nothing).field == "input"


def test_a_turn_has_no_more_calls_than_a_replica_takes() -> None:
    (_, turn) = messages(USER, *[CALL] * 128)
    assert len(turn.tool_calls) == 128
    assert refusal(input=[USER, *[CALL] * 129]).field == "input"
