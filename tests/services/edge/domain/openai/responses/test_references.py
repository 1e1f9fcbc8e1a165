"""A client that sends references alone gets ids that hold the items, and they become the items again."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.edge.adapters.key_seal import KeySeal
from services.edge.domain.generation import Counts, Delta, FinishReason, Message, Role, ToolCallDelta
from services.edge.domain.openai.counts.request import input_tokens_steps
from services.edge.domain.openai.responses.answers import ResponseEventWriter, ResponseHead, WholeResponse
from services.edge.domain.openai.responses.output import MOST_SEALED_BYTES, OutputOptions
from services.edge.domain.openai.responses.references import sends_references
from services.edge.domain.openai.responses.request import response_steps
from services.edge.domain.tools import ToolCall
from services.kernel.errors import ComptoirError, Reason
from services.kernel.steps import finished
from tests.services.edge.domain.openai.responses.requests import REQUEST

SEAL = KeySeal("cptr_eu-fr_a")
HEAD = ResponseHead("0f" * 16, 1_790_000_000, '"tools":[]', output=OutputOptions(seal=SEAL))
USER: dict[str, Any] = {"role": "user", "content": "Encore"}
CALL = Delta(tool_call=ToolCallDelta(0, "call_1", "time", '{"zone":"fr"}'))
ANSWER = [Delta("Je "), Delta("regarde."), CALL, Delta(finish=FinishReason.TOOL_CALLS)]
SAID = Message(Role.ASSISTANT, "Je regarde.", tool_calls=(ToolCall("call_1", "time", '{"zone":"fr"}'),))
TEXTS = st.text(st.characters(codec="utf-8"))


def whole(deltas: list[Delta]) -> list[dict[str, Any]]:
    answer = WholeResponse(HEAD)
    for delta in deltas:
        answer.add(delta)
    items: list[dict[str, Any]] = json.loads(b"".join(answer.parts(Counts(1, 1, 0, 0), "tiny-eu")))["output"]
    return items


def streamed(deltas: list[Delta]) -> list[dict[str, Any]]:
    writer = ResponseEventWriter(HEAD)
    stream = writer.opening("tiny-eu") + b"".join(map(writer.frames, deltas))
    stream += b"".join(writer.closing(Counts(1, 1, 0, 0)))
    lines = stream.decode().splitlines()
    return [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: ")]


def references(*ids: str) -> list[dict[str, Any]]:
    return [{"type": "item_reference", "id": each} for each in ids]


def turns(*items: dict[str, Any], seal: KeySeal = SEAL) -> tuple[Message, ...]:
    return finished(response_steps(REQUEST | {"input": list(items)}, seal)).generation.messages


def test_the_vercel_ai_sdk_is_known_by_its_name_and_nobody_else() -> None:
    assert sends_references([b"ai/7.0.173 ai-sdk-provider-utils/5.0.81 node.js/v20.20.2"])
    assert sends_references([b"ai/5.0.277 ai-sdk/provider-utils/3.0.40 runtime/node.js/v20.20.2"])
    assert not sends_references([b"OpenAI/JS 7.57.0"])
    assert not sends_references([b"openai-sdk/1.0 google-genai-sdk/1.2"])
    assert not sends_references([])


def test_a_whole_answer_is_said_again_by_the_ids_of_its_items() -> None:
    items = whole(ANSWER)
    assert [item["type"] for item in items] == ["message", "function_call"]
    assert turns(*references(*(item["id"] for item in items)), USER)[0] == SAID


def test_a_streamed_answer_is_said_again_by_the_ids_that_its_client_keeps() -> None:
    events = streamed(ANSWER)
    # Of a message and of a train of thought a client keeps the id that was told first, of a call the last.
    told = [event["item"] for event in events if event["type"] == "response.output_item.added"]
    done = [event["item"] for event in events if event["type"] == "response.output_item.done"]
    assert [item["type"] for item in told] == ["message", "reasoning", "function_call"]
    ids = [told[0]["id"], told[1]["id"], done[2]["id"]]
    assert turns(*references(*ids), USER)[0] == SAID
    assert done == events[-1]["response"]["output"]


def test_a_carrier_says_nothing_and_its_id_never_changes() -> None:
    events = streamed([Delta("Bonjour"), Delta(finish=FinishReason.STOP)])
    carrier = [event for event in events if event.get("output_index") == 1]
    assert [event["type"] for event in carrier] == [
        "response.output_item.added",
        "response.output_item.done",
    ]
    first, last = (event["item"] for event in carrier)
    assert first == last | {"status": "in_progress"}
    assert (last["type"], last["summary"]) == ("reasoning", [])


@given(TEXTS)
def test_any_text_comes_back_as_it_was(text: str) -> None:
    deltas = [Delta(text), Delta(finish=FinishReason.STOP)]
    (item,) = whole(deltas)
    kept = [event["item"]["id"] for event in streamed(deltas) if event["type"].endswith("item.added")]
    for ids in ([item["id"]], kept):
        assert turns(*references(*ids), USER)[0] == Message(Role.ASSISTANT, text)


def test_a_text_that_no_body_could_bring_back_is_not_sealed() -> None:
    deltas = [Delta("a" * (MOST_SEALED_BYTES + 1)), Delta(finish=FinishReason.STOP)]
    (item,) = whole(deltas)
    assert "." not in item["id"]
    assert len(streamed(deltas)[-1]["response"]["output"]) == 1


def test_what_ids_hold_is_counted_as_held() -> None:
    plain, sealing = WholeResponse(ResponseHead("0f" * 16, 1, '"tools":[]')), WholeResponse(HEAD)
    for delta in ANSWER:
        plain.add(delta)
        sealing.add(delta)
    assert sealing.held_bytes > plain.held_bytes


def test_a_count_of_an_input_opens_its_references_too() -> None:
    body = {"model": "tiny-eu", "input": [*references(whole(ANSWER)[0]["id"]), USER]}
    counted = finished(input_tokens_steps(body, SEAL)).generation
    assert counted.messages[0] == Message(Role.ASSISTANT, "Je regarde.")


def test_what_a_carrier_holds_is_taken_once() -> None:
    events = streamed([Delta("Bonjour"), Delta(finish=FinishReason.STOP)])
    message, carrier = (event["item"]["id"] for event in events if event["type"].endswith("item.added"))
    with pytest.raises(ComptoirError) as refusal:
        turns(*references(message, carrier, message), USER)
    assert refusal.value.field == "input[2].type"


@pytest.mark.parametrize(
    "ids",
    [
        ("msg_1_0",),
        (SEAL.seal("msg_1_0", "a") + "A",),
        (SEAL.seal("fc_1_0", "call_1\nno name\n{}"),),
        (SEAL.seal("fc_1_0", "call_1"),),
        (SEAL.seal("x_1_0", "a"),),
        ("msg_1_0", SEAL.seal("rs_1_1", "msg_1_1\na")),
    ],
)
def test_a_reference_that_no_id_resolves_is_refused(ids: tuple[str, ...]) -> None:
    with pytest.raises(ComptoirError) as refusal:
        turns(*references(*ids), USER)
    assert (refusal.value.reason, refusal.value.field) == (Reason.PARAMETER_UNSUPPORTED, "input[0].type")


def test_what_another_key_was_answered_is_not_opened() -> None:
    with pytest.raises(ComptoirError):
        turns(*references(whole(ANSWER)[0]["id"]), USER, seal=KeySeal("cptr_eu-fr_b"))


def test_who_says_that_it_keeps_items_sends_them_whole() -> None:
    assert finished(response_steps(REQUEST | {"store": False})).keeps_items
    assert not finished(response_steps(REQUEST)).keeps_items
