"""An output's items are put together from deltas, one after the other."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.edge.domain.generation import Delta, FinishReason, TokenChoice, TokenLogprob, ToolCallDelta
from services.edge.domain.openai.responses.output import Output, OutputOptions

STOP = Delta(finish=FinishReason.STOP)
LENGTH = Delta(finish=FinishReason.LENGTH)
TOKEN = TokenChoice(TokenLogprob(b"a", -0.5), (TokenLogprob(b"b", -1.0),))


def call(index: int, arguments: str, name: str = "") -> Delta:
    return Delta(tool_call=ToolCallDelta(index, f"call_{index}" if name else "", name, arguments))


def items(*deltas: Delta, is_reasoning_summary: bool = False) -> list[dict[str, Any]]:
    output = Output("ff", OutputOptions(is_reasoning_summary=is_reasoning_summary))
    for delta in deltas:
        output.add(delta)
    output.end()
    found: list[dict[str, Any]] = json.loads(b"[%b]" % b"".join(output.parts()))
    return found


@given(st.lists(st.text(), min_size=1))
def test_texts_are_one_message(texts: list[str]) -> None:
    (message,) = items(*map(Delta, texts), STOP)
    assert message == {
        "id": "msg_ff_0",
        "type": "message",
        "role": "assistant",
        "status": "completed",
        "content": [{"type": "output_text", "text": "".join(texts), "annotations": [], "logprobs": []}],
    }


def test_an_answer_that_says_nothing_is_a_message_without_text() -> None:
    (message,) = items(STOP)
    assert message["content"][0]["text"] == ""


def test_calls_are_items_of_their_own_behind_what_was_said() -> None:
    said, first, second = items(
        Delta("Je "),
        Delta("regarde."),
        call(0, '{"a"', "time"),
        call(0, ":1}"),
        call(1, "{}", "weather"),
        Delta(finish=FinishReason.TOOL_CALLS),
    )
    assert said["content"][0]["text"] == "Je regarde."
    assert first == {
        "id": "fc_ff_1",
        "type": "function_call",
        "status": "completed",
        "call_id": "call_0",
        "name": "time",
        "arguments": '{"a":1}',
    }
    assert (second["name"], second["arguments"], second["id"]) == ("weather", "{}", "fc_ff_2")


def test_a_text_and_a_call_in_one_delta_are_two_items() -> None:
    said, called = items(Delta("a", tool_call=ToolCallDelta(0, "call_0", "time", "{}")), STOP)
    assert (said["type"], called["type"]) == ("message", "function_call")


def test_only_the_last_item_was_cut() -> None:
    said, called = items(Delta("a"), call(0, '{"a', "time"), LENGTH)
    assert (said["status"], called["status"]) == ("completed", "incomplete")


def test_a_train_of_thought_is_an_item_before_the_message() -> None:
    thought, said = items(Delta(reasoning="hm"), Delta(reasoning="!"), Delta("a"), STOP)
    assert thought == {
        "id": "rs_ff_0",
        "type": "reasoning",
        "status": "completed",
        "summary": [],
        "content": [{"type": "reasoning_text", "text": "hm!"}],
    }
    assert said["id"] == "msg_ff_1"


def test_a_train_of_thought_that_is_asked_for_as_a_summary_is_one() -> None:
    thought, said = items(
        Delta(reasoning="hm"), Delta(reasoning="!"), Delta("a"), STOP, is_reasoning_summary=True
    )
    assert thought == {
        "id": "rs_ff_0",
        "type": "reasoning",
        "status": "completed",
        "summary": [{"type": "summary_text", "text": "hm!"}],
    }
    assert said["content"][0]["type"] == "output_text"


PART = Delta("", tokens=(TOKEN,))
TEXT = Delta("a", tokens=(TOKEN,))


@pytest.mark.parametrize(
    ("deltas", "tokens"),
    [
        ([PART, TEXT, STOP], 2),
        ([TEXT, PART, PART, STOP], 3),
        ([PART, LENGTH], 1),
        ([TEXT, PART, TEXT, STOP], 3),
    ],
)
def test_tokens_of_a_part_of_a_character_are_those_of_the_message(deltas: list[Delta], tokens: int) -> None:
    (message,) = items(*deltas)
    assert len(message["content"][0]["logprobs"]) == tokens


def test_tokens_of_a_call_and_of_reasoning_are_nobodys() -> None:
    thought = Delta(reasoning="hm", tokens=(TOKEN,))
    called = Delta(tool_call=ToolCallDelta(0, "call_0", "time", "{"), tokens=(TOKEN,))
    more = Delta(tool_call=ToolCallDelta(0, "", "", "}"), tokens=(TOKEN,))
    reasoned, said, call_item = items(
        PART, thought, PART, thought, TEXT, PART, called, PART, more, PART, STOP
    )
    assert reasoned["content"] == [{"type": "reasoning_text", "text": "hmhm"}]
    assert [len(part["logprobs"]) for part in said["content"]] == [1]
    assert call_item["arguments"] == "{}"
    (only,) = items(called, PART, more, PART, LENGTH)
    assert (only["arguments"], only["status"]) == ("{}", "incomplete")


def test_a_train_of_thought_that_nobody_wants_is_left_out() -> None:
    output = Output("ff", OutputOptions(includes_reasoning=False))
    for delta in (Delta(reasoning="hm"), Delta("a"), STOP):
        output.add(delta)
    (message,) = json.loads(b"[%b]" % b"".join(output.parts()))
    assert message["content"][0]["text"] == "a"


def test_what_is_told_is_told_as_it_comes() -> None:
    told: list[str] = []

    output = Output(
        "ff",
        begun=lambda item: told.append(f"{item.id} begun"),
        said=lambda item, text, _logprobs: told.append(f"{item.id} {text}"),
        ended=lambda item: told.append(f"{item.id} {item.status}"),
    )
    for delta in (Delta("a"), Delta("b"), call(0, "{", "time"), LENGTH):
        output.add(delta)
    output.end()
    assert told == [
        *("msg_ff_0 begun", "msg_ff_0 a", "msg_ff_0 b", "msg_ff_0 completed"),
        *("fc_ff_1 begun", "fc_ff_1 {", "fc_ff_1 incomplete"),
    ]


def test_what_breaks_off_is_left_as_it_is() -> None:
    output = Output("ff")
    output.add(Delta("a"))
    assert '"status":"in_progress"' in b"".join(output.parts()).decode()
    output.break_off()
    assert '"status":"incomplete"' in b"".join(output.parts()).decode()
    assert '"text":"a"' in b"".join(output.parts()).decode()
