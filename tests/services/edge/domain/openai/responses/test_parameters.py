"""No field of a request of Responses that OpenAI's SDK or vLLM's server knows falls through silently."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from openai.types.responses.response_create_params import (
    ResponseCreateParamsNonStreaming,
    ResponseCreateParamsStreaming,
)

from services.edge.domain.openai.parameters import IGNORED
from services.edge.domain.openai.responses.body import ResponsesBody
from services.edge.domain.openai.responses.parameters import RESPONSES_NEUTRAL
from services.edge.domain.openai.responses.request import parse_response
from services.kernel.errors import Reason
from tests.services.edge.domain.openai.known_fields import fields_of_class, fields_of_params
from tests.services.edge.domain.openai.responses.requests import REQUEST, refusal

PAGE = (Path(__file__).parents[6] / "docs" / "openai-compatibility.md").read_text()
SECTION = PAGE[PAGE.index("## Responses") : PAGE.index("## Bounds")]
KNOWN = {*ResponsesBody.__struct_fields__, *IGNORED, *RESPONSES_NEUTRAL}


def test_no_field_of_openai_falls_through_silently() -> None:
    fields = fields_of_params(ResponseCreateParamsNonStreaming, ResponseCreateParamsStreaming)
    assert {"input", "store", "background", "stream"} <= fields
    assert [name for name in sorted(fields) if name not in KNOWN] == []


def test_no_field_of_vllm_falls_through_silently() -> None:
    fields = fields_of_class("responses", "ResponsesRequest")
    assert {"input", "top_k", "include"} <= fields
    assert [name for name in sorted(fields) if name not in KNOWN] == []


def test_a_field_has_one_place() -> None:
    assert len(KNOWN) == len(ResponsesBody.__struct_fields__) + len(IGNORED) + len(RESPONSES_NEUTRAL)


@pytest.mark.parametrize("name", sorted(ResponsesBody.__struct_fields__))
def test_what_is_served_is_documented(name: str) -> None:
    assert re.search(rf"\| .*`{name}[`.]", PAGE)


@pytest.mark.parametrize("name", sorted(RESPONSES_NEUTRAL))
def test_what_is_refused_is_documented(name: str) -> None:
    assert f"`{name}`" in PAGE


@pytest.mark.parametrize("name", ["store", "previous_response_id", "conversation", "background", "prompt"])
def test_what_would_be_stored_is_refused_with_the_reason(name: str) -> None:
    assert f"`{name}`" in SECTION
    error = refusal(**{name: True if name in ("store", "background") else "x"})
    assert (error.reason, error.field) == (Reason.PARAMETER_UNSUPPORTED, name)


@pytest.mark.parametrize("name", RESPONSES_NEUTRAL)
def test_what_changes_nothing_is_no_reason_to_refuse(name: str) -> None:
    for value in (None, *RESPONSES_NEUTRAL[name].values):
        asked = parse_response(REQUEST | {name: value})
        # `store` says what the caller does, and not what is asked.
        assert replace(asked, keeps_items=False) == parse_response(REQUEST)


def test_nulls_everywhere_are_a_plain_request() -> None:
    assert parse_response(dict.fromkeys(KNOWN) | REQUEST) == parse_response(REQUEST)
