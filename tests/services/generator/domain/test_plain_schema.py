"""Schemas as zod and pydantic write them have no word that the engine would refuse, and mean no more."""

import json
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


def records(levels: int, names: int, value: Any) -> dict[str, Any]:
    for _ in range(levels):
        named = {"enum": [f"n{number}" for number in range(names)]}
        value = {"type": "object", "propertyNames": named, "additionalProperties": value}
    return {"items": value}


def test_records_of_listed_names_within_each_other_do_not_become_gigabytes() -> None:
    for schema in (records(20, 20, NUMBERS), records(1, 1000, {"description": "a" * 1000})):
        simplify(schema)
        assert len(json.dumps(schema)) < 200_000
        assert '"propertyNames"' in json.dumps(schema)


def test_records_as_people_write_them_are_understood_within_each_other_too() -> None:
    schema = records(2, 20, {"type": "object", "properties": {"a": NUMBERS}})
    simplify(schema)
    assert '"propertyNames"' not in json.dumps(schema)


def test_names_that_are_a_reference_and_more_are_left_to_the_engine() -> None:
    schema = {"propertyNames": {"$ref": "#/$defs/K", "pattern": "^x"}, "$defs": {"K": {"type": "string"}}}
    simplify(schema)
    assert schema["propertyNames"] == {"$ref": "#/$defs/K", "pattern": "^x"}
