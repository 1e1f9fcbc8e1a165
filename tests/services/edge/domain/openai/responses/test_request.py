"""What a request of Responses asks a replica for, and what its answer repeats of it."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.edge.domain.openai.errors import error_json
from services.edge.domain.openai.public_names import name_for
from services.edge.domain.openai.responses.request import LOGPROBS, parse_response
from services.edge.domain.timeline import Endpoint
from services.kernel.errors import ComptoirError, Numbers, Reason
from tests.services.edge.domain.openai.chat.chats import JSON
from tests.services.edge.domain.openai.responses.requests import REQUEST, TIME, WEATHER, refusal

SCHEMA: dict[str, Any] = {"type": "json_schema", "name": "a", "schema": {"type": "object", "title": "é"}}


def asked(**changes: Any) -> Any:
    return parse_response(REQUEST | changes).generation


def echoed(**changes: Any) -> dict[str, Any]:
    members: dict[str, Any] = json.loads(f"{{{parse_response(REQUEST | changes).echoed}}}")
    return members


def test_sampling_is_a_chats() -> None:
    generation = asked(temperature=0, top_p=0, top_k=3, max_output_tokens=16.0, stream=True)
    assert generation.sampling == {"temperature": 0, "top_p": 1e-6, "top_k": 3}
    assert (generation.max_output_tokens, generation.is_streamed) == (16, True)


@pytest.mark.parametrize(("limit", "tokens"), [(None, 0), (-1, 0), (0, 0), (1, 1), (2**40, 1_048_576)])
def test_any_limit_is_a_limit_or_none(limit: int | None, tokens: int) -> None:
    assert asked(max_output_tokens=limit).max_output_tokens == tokens


@pytest.mark.parametrize(
    ("sent", "logprobs"),
    [
        ({}, None),
        ({"include": ["reasoning.encrypted_content"]}, None),
        ({"include": [LOGPROBS]}, 0),
        ({"include": [LOGPROBS], "top_logprobs": 20}, 20),
        ({"top_logprobs": 3}, 3),
        ({"top_logprobs": 0}, None),
    ],
)
def test_logprobs_are_asked_for_by_either_name(sent: dict[str, Any], logprobs: int | None) -> None:
    assert asked(**sent).sampling.get("logprobs") == logprobs


def test_how_much_a_model_reasons_and_its_template_are_told() -> None:
    generation = asked(reasoning={"effort": "low", "summary": "auto"}, chat_template_kwargs={"a": True})
    assert (generation.reasoning_effort, generation.template_arguments) == ("low", {"a": True})
    assert asked(reasoning={}).reasoning_effort == ""
    assert echoed(reasoning={"effort": "low"})["reasoning"] == {"effort": "low", "summary": None}
    assert echoed(reasoning={"summary": "detailed"})["reasoning"] == {"effort": None, "summary": "detailed"}
    told = parse_response(REQUEST | {"include_reasoning": False, "service_tier": "flex"})
    assert (told.includes_reasoning, told.service_tier) == (False, "flex")


@pytest.mark.parametrize(
    ("summary", "is_summary"),
    [(None, False), ("none", False), ("auto", True), ("concise", True), ("detailed", True)],
)
def test_a_train_of_thought_is_a_summary_where_one_is_asked_for(summary: str, is_summary: bool) -> None:
    told = parse_response(REQUEST | {"reasoning": {"summary": summary}})
    assert told.is_reasoning_summary is is_summary


@pytest.mark.parametrize(
    ("form", "schema"),
    [
        (None, ""),
        ({"type": "text"}, ""),
        ({"type": "json_object"}, '{"type":"object"}'),
        (SCHEMA, '{"type":"object","title":"é"}'),
    ],
)
def test_a_format_is_a_schema_that_the_text_fits(form: Any, schema: str) -> None:
    assert asked(text={"format": form}).form.json_schema == schema


@pytest.mark.parametrize(
    ("sent", "field", "reason"),
    [
        ({"text": {"format": {"type": "xml"}}}, "text.format.type", Reason.REQUEST_INVALID),
        ({"text": {"format": SCHEMA | {"name": None}}}, "text.format.name", Reason.REQUEST_INVALID),
        ({"text": {"format": SCHEMA | {"schema": None}}}, "text.format.schema", Reason.REQUEST_INVALID),
        (
            {"text": {"format": SCHEMA | {"schema": {"a": "x" * 70_000}}}},
            "text.format.schema",
            Reason.REQUEST_INVALID,
        ),
        ({"n": 2}, "n", Reason.PARAMETER_UNSUPPORTED),
        ({"include": [1]}, "include", Reason.REQUEST_INVALID),
        ({"top_logprobs": 21}, "top_logprobs", Reason.REQUEST_INVALID),
        ({"truncation": "middle"}, "truncation", Reason.REQUEST_INVALID),
        ({"max_output_tokens": "16"}, "max_output_tokens", Reason.REQUEST_INVALID),
        ({"instructions": 1}, "instructions", Reason.REQUEST_INVALID),
        ({"messages": [{}]}, "messages", Reason.PARAMETER_UNSUPPORTED),
        ({"max_tokens": 3}, "max_tokens", Reason.PARAMETER_UNSUPPORTED),
        ({"reasoning": {"effort": "some"}}, "reasoning.effort", Reason.REQUEST_INVALID),
        ({"reasoning": {"mode": "pro"}}, "reasoning.mode", Reason.PARAMETER_UNSUPPORTED),
        ({"reasoning": {"summary": "long"}}, "reasoning.summary", Reason.REQUEST_INVALID),
        ({"reasoning": "high"}, "reasoning", Reason.REQUEST_INVALID),
        ({"reasoning_effort": "high"}, "reasoning_effort", Reason.PARAMETER_UNSUPPORTED),
    ],
)
def test_what_is_wrong_is_named_and_told(sent: Any, field: str, reason: Reason) -> None:
    error = refusal(**sent)
    assert (error.field, error.reason) == (field, reason)
    told = json.loads(error_json(error, Endpoint.RESPONSES))["error"]
    assert told["param"] == field
    assert f"'{field}'" in told["message"]


@given(JSON)
def test_anything_is_a_request_or_a_refusal(value: object) -> None:
    for body in (value, REQUEST | {"input": value}, REQUEST | {"tools": value, "text": value}):
        try:
            assert parse_response(body).generation.messages
        except ComptoirError as error:
            assert error.reason in (Reason.REQUEST_INVALID, Reason.PARAMETER_UNSUPPORTED)  # noqa: PT017


@pytest.mark.parametrize(
    ("field", "name"),
    [
        ("messages", "input"),
        ("max_completion_tokens", "max_output_tokens"),
        ("response_format.json_schema.schema.not", "text.format.schema.not"),
        ("tools[3].parameters.not", "tools[3].parameters.not"),
        ("tools", "tools"),
        ("messages[0].role", None),
    ],
)
def test_what_others_refuse_is_told_in_its_own_words(field: str, name: str | None) -> None:
    assert name_for(ComptoirError(Reason.REQUEST_INVALID, field=field), Endpoint.RESPONSES) == name


def test_an_input_that_is_too_long_is_told_so() -> None:
    error = ComptoirError(Reason.CONTEXT_TOO_LONG, field="messages", numbers=Numbers(10, 20))
    told = json.loads(error_json(error, Endpoint.RESPONSES))["error"]
    assert (told["param"], told["code"]) == ("input", "context_length_exceeded")
    assert "your input resulted in 20 tokens" in told["message"]


def test_several_answers_are_refused_in_words_that_permit_one() -> None:
    error = ComptoirError(Reason.PARAMETER_UNSUPPORTED, field="n")
    told = json.loads(error_json(error, Endpoint.RESPONSES))["error"]
    assert told["message"] == "Unsupported parameter: 'n' is not supported; it must be absent or 1."


def test_an_answer_repeats_how_its_request_was_understood() -> None:
    assert echoed() == {
        "max_output_tokens": None,
        "parallel_tool_calls": True,
        "reasoning": {"effort": None, "summary": None},
        "temperature": None,
        "text": {"format": {"type": "text"}, "verbosity": "medium"},
        "tool_choice": "auto",
        "tools": [],
        "top_logprobs": 0,
        "top_p": None,
    }
    told = echoed(
        instructions="geheim",
        temperature=1,
        tools=[{"type": "custom"}, TIME, WEATHER],
        tool_choice={"type": "function", "name": "time", "more": 1},
        text={"format": SCHEMA | {"strict": True}},
    )
    assert told["tools"] == [
        TIME | {"description": None, "parameters": None, "strict": True},
        WEATHER,
    ]
    assert told["tool_choice"] == {"type": "function", "name": "time"}
    assert told["text"]["format"] == SCHEMA | {"description": None, "strict": True}
    assert (told["temperature"], "geheim" in json.dumps(told)) == (1.0, False)


def test_allowed_tools_are_repeated_by_their_names() -> None:
    choice = {"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "time"}]}
    assert echoed(tools=[TIME, WEATHER], tool_choice=choice)["tool_choice"] == choice


@given(st.text(max_size=40))
def test_what_is_repeated_stays_on_one_line(text: str) -> None:
    schema = {"type": "object", "title": text}
    request = REQUEST | {
        "tools": [WEATHER | {"description": text, "parameters": schema}],
        "text": {"format": SCHEMA | {"description": text, "schema": schema}},
    }
    echo = parse_response(request).echoed
    assert len(echo.splitlines()) == 1
    told = json.loads(f"{{{echo}}}")
    assert told["tools"][0]["description"] == text
    assert told["text"]["format"]["schema"] == schema


def test_what_has_no_effect_is_counted() -> None:
    assert parse_response(REQUEST).without_effect == 0
    told = parse_response(
        REQUEST
        | {"include": [LOGPROBS, "reasoning.encrypted_content"], "tools": [TIME, {"type": "web_search"}]}
    )
    assert told.without_effect == 2
