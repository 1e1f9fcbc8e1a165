"""A format of the answer is a schema, or a refusal that names the parameter and no word of the caller."""

import json

import pytest
from hypothesis import given

from services.contract.json_schema import KEYWORDS
from services.edge.domain.openai.chat.request import named_as_sent, parse_chat
from services.edge.domain.openai.public_names import expectation, from_schema, is_public
from services.edge.domain.openai.schema_words import KEYWORD_WORDS
from services.edge.domain.timeline import Endpoint
from services.kernel.errors import ComptoirError, Reason
from tests.services.edge.domain.openai.chat.chats import CHAT, JSON, refusal

PERSON = {"type": "object", "properties": {"é": {"type": "string"}, "age": {"type": "integer"}}}


def schema_of(response_format: object) -> str:
    return parse_chat(CHAT | {"response_format": response_format}).generation.form.json_schema


def test_a_schema_is_taken_with_its_keys_in_their_order() -> None:
    taken = schema_of({"type": "json_schema", "json_schema": {"name": "p", "strict": True, "schema": PERSON}})
    assert json.loads(taken) == PERSON
    assert list(json.loads(taken)["properties"]) == ["é", "age"]


@pytest.mark.parametrize(
    "response_format", [{"type": "json_object"}, {"type": "json_schema", "json_schema": {"name": "p"}}]
)
def test_without_a_schema_any_object_fits(response_format: object) -> None:
    assert json.loads(schema_of(response_format)) == {"type": "object"}


@pytest.mark.parametrize("kind", ["json_object", "json_schema"])
def test_a_schema_is_taken_from_where_other_servers_have_it(kind: str) -> None:
    assert json.loads(schema_of({"type": kind, "schema": PERSON})) == PERSON


@pytest.mark.parametrize("response_format", [None, {"type": "text"}, {"type": "text", "schema": PERSON}])
def test_text_is_any_text(response_format: object) -> None:
    assert schema_of(response_format) == ""


LARGE = {"type": "object", "description": "x" * 65_536}


@pytest.mark.parametrize(
    ("response_format", "named"),
    [
        ("json", "response_format"),
        ({}, "response_format"),
        ({"type": "xml"}, "response_format.type"),
        ({"type": "json_schema"}, "response_format.json_schema"),
        ({"type": "json_object", "schema": LARGE}, "response_format.schema"),
        ({"type": "json_schema", "schema": PERSON, "json_schema": {"name": "p"}}, "response_format.schema"),
        ({"type": "json_schema", "json_schema": {"schema": {}}}, "response_format.json_schema.name"),
        ({"type": "json_schema", "json_schema": {"name": ""}}, "response_format.json_schema.name"),
        (
            {"type": "json_schema", "json_schema": {"name": "p", "schema": []}},
            "response_format.json_schema.schema",
        ),
        (
            {"type": "json_schema", "json_schema": {"name": "p", "schema": LARGE}},
            "response_format.json_schema.schema",
        ),
    ],
)
def test_a_format_that_is_none_is_refused_by_its_name(response_format: object, named: str) -> None:
    error = refusal(response_format=response_format)
    assert (error.reason, error.field) == (Reason.REQUEST_INVALID, named)


@pytest.mark.parametrize(
    ("response_format", "named"),
    [
        ({"type": "json_object", "schema": PERSON}, "response_format.schema"),
        (
            {"type": "json_schema", "json_schema": {"name": "p", "schema": PERSON}},
            "response_format.json_schema.schema",
        ),
    ],
)
def test_a_keyword_that_a_replica_refuses_is_named_where_the_schema_stands(
    response_format: object, named: str
) -> None:
    names = parse_chat(CHAT | {"response_format": response_format}).names_as_sent
    for keyword in ("", ".uniqueItems"):
        name = named_as_sent(names, from_schema(f"structure.json_schema{keyword}"), has_functions=False)
        assert name == f"{named}{keyword}"
        assert is_public(name)


@given(JSON)
def test_any_value_is_a_format_or_refused_with_a_public_name(value: object) -> None:
    try:
        schema_of(value)
    except ComptoirError as error:
        assert is_public(error.field)  # noqa: PT017 - one outcome of two


def test_a_replica_that_cannot_see_to_a_keyword_has_it_named_where_the_client_wrote_it() -> None:
    for keyword in KEYWORDS:
        name = from_schema(f"structure.json_schema.{keyword}")
        assert name == f"response_format.json_schema.schema.{keyword}"
        assert expectation(name, Endpoint.CHAT_COMPLETIONS) == KEYWORD_WORDS[keyword]
    assert not is_public("response_format.json_schema.schema.secret")
