"""The description of the API is whole, valid, and says what the types and tables say."""

import json
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest
from hypothesis import given

from services.edge.domain.openai.answer_types import ChatCompletion, ChatCompletionChunk
from services.edge.domain.openai.chat.body import ChatBody
from services.edge.domain.openai.errors import HTTP_ERRORS, PUBLIC_ERRORS
from services.edge.domain.openai.openapi import openapi_json
from services.edge.domain.openai.operation import GENERATION_STATUSES, Operation
from services.edge.domain.openai.parameters import IGNORED, NEUTRAL
from services.edge.domain.openai.public_names import EXPECTED
from tests.services.edge.domain.openai.chat.chats import CHAT, JSON

CREATE = Operation(
    "create",
    "a chat",
    body=ChatBody,
    answer=ChatCompletion,
    event=ChatCompletionChunk,
    statuses=GENERATION_STATUSES,
)
DOCUMENT: Any = json.loads(
    openapi_json(
        [("POST", "/chat", CREATE), ("GET", "/one/{name:path}", Operation("one", "x"))], version="1.2"
    )
)
SCHEMAS = DOCUMENT["components"]["schemas"]


def values_of(key: str, value: Any) -> Iterator[Any]:
    """Everything that stands under `key`, at any depth."""
    if isinstance(value, dict):
        yield from ([value[key]] if key in value else [])
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for each in inner:
        yield from values_of(key, each)


def validator() -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator({"$ref": "#/components/schemas/ChatBody", **DOCUMENT})


def test_every_reference_leads_somewhere() -> None:
    references = list(values_of("$ref", DOCUMENT))
    assert len(references) > 30
    for reference in references:
        place = DOCUMENT
        for step in reference.removeprefix("#/").split("/"):
            place = place[step]


@pytest.mark.parametrize("name", sorted(SCHEMAS))
def test_every_schema_is_one_of_json_schema(name: str) -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMAS[name])


def test_every_parameter_that_is_known_is_described_and_no_other() -> None:
    known = {name for name in EXPECTED if "." not in name and "[" not in name} | IGNORED | NEUTRAL.keys()
    assert SCHEMAS["ChatBody"]["properties"].keys() == known
    assert SCHEMAS["ChatBody"]["required"] == ["messages"]


def test_a_chat_that_is_served_is_valid_and_one_that_is_refused_is_not() -> None:
    assert validator().is_valid(CHAT)
    assert validator().is_valid(CHAT | {"temperature": None, "best_of": 1, "made_up": 1})
    wrongs: list[dict[str, Any]] = [
        {"temperature": 3},
        {"messages": []},
        {"best_of": 2},
        {"messages": None},
        {"messages": [{"content": "x"}]},
        {"stream": 1},
    ]
    for wrong in wrongs:
        assert not validator().is_valid(CHAT | wrong)


@given(JSON)
def test_any_value_of_a_field_without_effect_is_valid(value: Any) -> None:
    assert validator().is_valid(CHAT | {"metadata": value})


def test_every_error_stands_in_the_answer_of_its_status() -> None:
    responses = DOCUMENT["components"]["responses"]
    for public in (*PUBLIC_ERRORS.values(), *HTTP_ERRORS):
        assert public.code in responses[f"Error{public.status}"]["description"].split(", ")
    # What only administration, or nobody who asks for this, is refused with.
    elsewhere = {405, 409, 505, 499}
    assert {public.status for public in PUBLIC_ERRORS.values()} <= {*GENERATION_STATUSES} | elsewhere


def test_what_needs_a_key_says_so() -> None:
    assert DOCUMENT["paths"]["/chat"]["post"]["security"] == [{"key": []}]
    one = DOCUMENT["paths"]["/one/{name}"]["get"]
    assert one["security"] == []
    assert [parameter["name"] for parameter in one["parameters"]] == ["name"]
    assert DOCUMENT["info"]["version"] == "1.2"


def test_what_generates_takes_a_scheduling_class_in_a_header() -> None:
    (header,) = DOCUMENT["paths"]["/chat"]["post"]["parameters"]
    assert (header["name"], header["in"]) == ("x-comptoir-priority", "header")
    assert header["schema"]["enum"] == ["interactive", "default", "batch"]
