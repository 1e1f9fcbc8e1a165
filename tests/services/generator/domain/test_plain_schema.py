"""Schemas as zod and pydantic write them have no word that the engine would refuse, and mean no more."""

from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.generator.domain.plain_schema import simplify

NUMBERS = {"type": "number"}
OPEN: dict[str, Any] = {"type": "object", "additionalProperties": NUMBERS}


def simple(schema: dict[str, Any]) -> dict[str, Any]:
    wrapped = {"anyOf": [{"type": "array", "items": {"type": "object", "properties": {"a": schema}}}]}
    simplify(wrapped)
    inner: dict[str, Any] = wrapped["anyOf"][0]["items"]["properties"]["a"]  # type: ignore[index]
    return inner


@pytest.mark.parametrize(
    ("sent", "plain"),
    [
        # zod: nanoid, startsWith, jwt; pydantic: SecretStr, Path, bytes; OpenAPI: int32.
        ({"type": "string", "format": "nanoid", "pattern": "^a$"}, {"type": "string", "pattern": "^a$"}),
        ({"type": "string", "format": "password", "writeOnly": True}, {"type": "string", "writeOnly": True}),
        ({"type": "string", "format": "path"}, {"type": "string"}),
        ({"type": "integer", "format": "int32"}, {"type": "integer"}),
        ({"type": "string", "format": "uuid"}, {"type": "string", "format": "uuid"}),
        ({"type": "string", "format": 5}, {"type": "string", "format": 5}),
        # zod's records, pydantic's dictionaries.
        (OPEN | {"propertyNames": {"type": "string"}}, OPEN),
        (OPEN | {"propertyNames": {"format": "path", "type": "string", "title": "T"}}, OPEN),
        (OPEN | {"propertyNames": True}, OPEN),
        (
            OPEN | {"propertyNames": {"type": "string", "enum": ["a", "b"]}, "required": ["a"]},
            {
                "type": "object",
                "required": ["a"],
                "properties": {"a": NUMBERS, "b": NUMBERS},
                "additionalProperties": False,
            },
        ),
        (
            {"propertyNames": {"pattern": "^x"}},
            {"patternProperties": {"^x": True}, "additionalProperties": False},
        ),
        ({"propertyNames": {"minLength": 2}}, {"propertyNames": {"minLength": 2}}),
        (
            {"propertyNames": {"enum": ["a"]}, "properties": {"a": NUMBERS}},
            {"propertyNames": {"enum": ["a"]}, "properties": {"a": NUMBERS}},
        ),
        # zod's `never`.
        ({"properties": {"b": {"not": {}}}}, {"properties": {"b": False}}),
        ({"type": "array", "uniqueItems": False}, {"type": "array"}),
        ({"type": "array", "uniqueItems": True}, {"type": "array", "uniqueItems": True}),
        ({"uniqueItems": True, "maxItems": 1}, {"maxItems": 1}),
        ({"type": "string", "x-guidance": {"whitespace_pattern": "x"}}, {"type": "string"}),
        ({"const": {"format": "path"}}, {"const": {"format": "path"}}),
        ({"properties": {"format": {"const": "a"}}}, {"properties": {"format": {"const": "a"}}}),
    ],
)
def test_words_that_hold_an_answer_to_nothing_are_gone(sent: dict[str, Any], plain: dict[str, Any]) -> None:
    assert simple(sent) == plain


def test_names_that_stand_in_a_definition_are_those_of_members() -> None:
    schema: dict[str, Any] = {
        "$defs": {"Colour": {"enum": ["r", "g"], "title": "Colour", "type": "string"}},
        "type": "object",
        "propertyNames": {"$ref": "#/$defs/Colour"},
        "additionalProperties": {"type": "integer"},
    }
    simplify(schema)
    assert schema["properties"] == {"r": {"type": "integer"}, "g": {"type": "integer"}}
    assert schema["additionalProperties"] is False


def test_the_newest_draft_needs_no_name() -> None:
    schema = {"$schema": "http://json-schema.org/schema#", "type": "object"}
    simplify(schema)
    assert schema == {"type": "object"}


NAMES = st.sampled_from(["a", "b", "xa"])
RULES = st.sampled_from(
    [True, {}, {"type": "string"}, {"enum": ["a", "b"]}, {"const": "a"}, {"pattern": "^x"}, {"maxLength": 1}]
)


@given(RULES, st.booleans() | st.just(NUMBERS), st.dictionaries(NAMES, st.sampled_from([1, "s"])))
def test_an_object_fits_its_plain_schema_as_it_fits_the_one_that_was_sent(
    names: object, others: object, value: dict[str, object]
) -> None:
    sent = {"type": "object", "propertyNames": names, "additionalProperties": others}
    plain = dict(sent)
    simplify(plain)
    checks = jsonschema.Draft202012Validator
    assert checks(plain).is_valid(value) == checks(sent).is_valid(value)
