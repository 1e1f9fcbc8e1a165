"""A response is read by OpenAI's SDK as it was written: one object, or the events that add up to it."""

import json
from dataclasses import replace
from typing import Any

import httpx
import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai._streaming import SSEDecoder
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from services.edge.domain.generation import Counts, Delta, FinishReason, ToolCallDelta
from services.edge.domain.openai.errors import error_json
from services.edge.domain.openai.responses.answers import ResponseEventWriter, ResponseHead, WholeResponse
from services.edge.domain.openai.responses.output import OutputOptions
from services.edge.domain.openai.responses.request import parse_response
from services.edge.domain.timeline import Endpoint
from services.kernel.errors import ComptoirError, Reason
from tests.services.edge.domain.openai.responses.requests import REQUEST, WEATHER

HEAD = ResponseHead("0f" * 16, 1_790_000_000, parse_response(REQUEST | {"tools": [WEATHER]}).echoed)
SUMMARY = replace(HEAD, output=OutputOptions(is_reasoning_summary=True))
COUNTS = Counts(11, 3, 5, 2)
EVENT: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)
FINISHES = st.sampled_from(list(FinishReason)).map(lambda reason: Delta(finish=reason))
TEXTS = st.lists(st.text().map(Delta), max_size=4)
CALLS = st.lists(st.lists(st.text(), min_size=1, max_size=3), max_size=3).map(
    lambda calls: [
        Delta(tool_call=ToolCallDelta(index, *(("", "") if place else (f"call_{index}", "f")), piece))
        for index, pieces in enumerate(calls)
        for place, piece in enumerate(pieces)
    ]
)
ANSWERS = st.tuples(TEXTS, CALLS, FINISHES).map(lambda parts: [*parts[0], *parts[1], parts[2]])


def whole(deltas: list[Delta], head: ResponseHead = HEAD) -> dict[str, Any]:
    answer = WholeResponse(head)
    for delta in deltas:
        answer.add(delta)
    body: dict[str, Any] = json.loads(b"".join(answer.parts(COUNTS, "tiny-eu")))
    return body


def streamed(deltas: list[Delta], head: ResponseHead = HEAD) -> list[dict[str, Any]]:
    writer = ResponseEventWriter(head)
    stream = (
        writer.opening("tiny-eu") + b"".join(map(writer.frames, deltas)) + b"".join(writer.closing(COUNTS))
    )
    return read(stream)


def read(stream: bytes) -> list[dict[str, Any]]:
    events = list(SSEDecoder().iter_bytes(iter([stream])))
    assert all(event.event == event.json()["type"] for event in events)
    return [event.json() for event in events]


@given(ANSWERS)
def test_a_stream_adds_up_to_the_whole_answer(deltas: list[Delta]) -> None:
    one, events = whole(deltas), streamed(deltas)
    assert events[-1]["response"] == one
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    done = [event["item"] for event in events if event["type"] == "response.output_item.done"]
    assert done == one["output"]
    for index, item in enumerate(done):
        text = "".join(
            event["delta"]
            for event in events
            if event["type"].endswith(".delta") and event["output_index"] == index
        )
        assert text == (item["arguments"] if "arguments" in item else item["content"][0]["text"])


@given(ANSWERS)
def test_the_sdk_reads_every_event_and_loses_nothing(deltas: list[Delta]) -> None:
    for event in streamed(deltas):
        parsed = EVENT.validate_python(event)
        assert parsed.type == event["type"]
    one = whole(deltas)
    told = Response.model_validate(one).model_dump(mode="json", by_alias=True, exclude_unset=True)
    assert told == one


def test_a_response_is_completed_or_says_why_it_is_not() -> None:
    completed = whole([Delta("a"), Delta(finish=FinishReason.STOP)])
    assert (completed["status"], completed["incomplete_details"]) == ("completed", None)
    cut = whole([Delta("a"), Delta(finish=FinishReason.LENGTH)])
    assert (cut["status"], cut["incomplete_details"]) == ("incomplete", {"reason": "max_output_tokens"})
    assert streamed([Delta(finish=FinishReason.LENGTH)])[-1]["type"] == "response.incomplete"


def test_counts_are_the_replicas() -> None:
    assert whole([Delta("a")])["usage"] == {
        "input_tokens": 11,
        "input_tokens_details": {"cached_tokens": 3, "cache_write_tokens": 0},
        "output_tokens": 5,
        "output_tokens_details": {"reasoning_tokens": 2},
        "total_tokens": 16,
    }


def test_a_train_of_thought_has_events_of_its_own() -> None:
    deltas = [Delta(reasoning="hm"), Delta("a"), Delta(finish=FinishReason.STOP)]
    kinds = [event["type"].removeprefix("response.") for event in streamed(deltas)]
    assert kinds[2:8] == [
        *("output_item.added", "content_part.added", "reasoning_text.delta", "reasoning_text.done"),
        *("content_part.done", "output_item.done"),
    ]
    for event in streamed(deltas):
        EVENT.validate_python(event)


@given(st.lists(st.text(min_size=1), min_size=1, max_size=4))
def test_a_train_of_thought_is_read_by_clients_that_know_summaries_alone(thoughts: list[str]) -> None:
    deltas = [
        *(Delta(reasoning=thought) for thought in thoughts),
        Delta("a"),
        Delta(finish=FinishReason.STOP),
    ]
    events, one = streamed(deltas, SUMMARY), whole(deltas, SUMMARY)
    kinds = [event["type"].removeprefix("response.") for event in events]
    assert list(dict.fromkeys(kinds[2 : 7 + len(thoughts)])) == [
        *("output_item.added", "reasoning_summary_part.added", "reasoning_summary_text.delta"),
        *("reasoning_summary_text.done", "reasoning_summary_part.done", "output_item.done"),
    ]
    for event in events:
        EVENT.validate_python(event)
    told = [event for event in events if event["type"] == "response.reasoning_summary_text.delta"]
    assert {event["summary_index"] for event in told} == {0}
    summary = [{"type": "summary_text", "text": "".join(thoughts)}]
    assert "".join(event["delta"] for event in told) == summary[0]["text"]
    assert one["output"][0]["summary"] == events[-1]["response"]["output"][0]["summary"] == summary
    assert "content" not in one["output"][0]
    assert Response.model_validate(one).output[0].type == "reasoning"


FAILURES = [
    (Reason.ENGINE_FAILED, "server_error"),
    (Reason.TOKENS_EXHAUSTED, "rate_limit_exceeded"),
    (Reason.CONTEXT_TOO_LONG, "invalid_prompt"),
]


@pytest.mark.parametrize(("reason", "code"), FAILURES)
def test_a_failure_ends_the_response_and_is_told_as_an_error(reason: Reason, code: str) -> None:
    writer = ResponseEventWriter(HEAD)
    body = error_json(ComptoirError(reason), Endpoint.RESPONSES)
    stream = writer.opening("tiny-eu") + writer.frames(Delta("a")) + writer.failure(body)
    *_, failed, error = read(stream)
    response = EVENT.validate_python(failed).response
    assert (response.status, response.error.code) == ("failed", code)
    assert response.output[0].content[0].text == "a"
    assert response.output[0].status == "incomplete"
    assert (error["type"], error["code"], error["error"]["code"]) == (
        "error",
        reason.row.code,
        reason.row.code,
    )
    assert [failed["sequence_number"], error["sequence_number"]] == [5, 6]


def test_a_failure_before_the_response_began_is_an_error_alone() -> None:
    (error,) = read(ResponseEventWriter(HEAD).failure(error_json(ComptoirError(Reason.NO_REPLICA))))
    assert (error["type"], error["sequence_number"]) == ("error", 0)


@pytest.mark.parametrize("is_begun", [True, False])
def test_the_sdk_raises_the_error(is_begun: bool) -> None:
    writer = ResponseEventWriter(HEAD)
    stream = writer.opening("tiny-eu") if is_begun else b""
    stream += writer.failure(error_json(ComptoirError(Reason.ENGINE_FAILED)))
    transport = httpx.MockTransport(
        lambda _request: httpx.Response(200, content=stream, headers={"content-type": "text/event-stream"})
    )
    # The SDK brings an httpx of its own, and takes this one.
    http: Any = httpx.Client(transport=transport)
    with (
        openai.OpenAI(api_key="x", base_url="http://x", http_client=http, max_retries=0) as client,
        pytest.raises(openai.APIError) as failure,
    ):
        list(client.responses.create(model="x", input="x", stream=True))
    assert failure.value.code == "engine_failed"


def test_the_tier_that_answers_is_told_where_it_was_asked_for() -> None:
    head = ResponseHead("0f" * 16, 1_790_000_000, HEAD.echoed, tier=lambda: "flex")
    assert json.loads(b"".join(WholeResponse(head).parts(COUNTS, "tiny-eu")))["service_tier"] == "flex"
    assert "service_tier" not in whole([])
