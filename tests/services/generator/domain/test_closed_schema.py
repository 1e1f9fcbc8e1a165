"""What fits a closed schema fits the schema as it was sent, and has no member that nobody named."""

import json
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.generator.domain.closed_schema import closed, closed_steps
from services.kernel.errors import ComptoirError, Reason

NAMES = st.sampled_from("abc")
VALUES = st.recursive(
    st.integers(0, 2) | st.booleans(),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(NAMES, inner, max_size=2),
    max_leaves=4,
)
SCHEMAS: st.SearchStrategy[dict[str, Any]] = st.recursive(
    st.sampled_from(
        [{"type": "integer"}, {"type": "boolean"}, {"type": "object"}, {"const": {"properties": {}}}]
    ),
    lambda inner: (
        st.dictionaries(NAMES, inner, max_size=2).map(lambda named: {"type": "object", "properties": named})
        | inner.map(lambda items: {"type": "array", "items": items})
        | st.lists(inner, min_size=1, max_size=2).map(lambda choices: {"anyOf": choices})
        | st.lists(inner, min_size=1, max_size=2).map(lambda parts: {"allOf": parts})
        | st.lists(inner, min_size=1, max_size=2).map(lambda choices: {"oneOf": choices})
    ),
    max_leaves=5,
)


def as_closed(schema: object) -> Any:
    return json.loads(closed(json.dumps(schema), "f"))


@given(SCHEMAS, VALUES)
def test_what_fits_the_closed_schema_fits_the_one_that_was_sent(
    schema: dict[str, Any], value: object
) -> None:
    if jsonschema.Draft202012Validator(as_closed(schema)).is_valid(value):
        jsonschema.validate(value, schema, jsonschema.Draft202012Validator)


@given(SCHEMAS)
def test_a_schema_that_is_closed_stays_as_it_is(schema: dict[str, Any]) -> None:
    assert as_closed(as_closed(schema)) == as_closed(schema)


def test_objects_get_no_member_that_nobody_named_wherever_they_stand() -> None:
    inner = {"type": "object", "properties": {"a": {"type": "string"}}}
    schema = {
        "$defs": {"d": inner},
        "type": "object",
        "properties": {
            "list": {"type": "array", "items": inner},
            "one": {"anyOf": [inner, {"type": "null"}]},
        },
    }
    told = as_closed(schema)
    assert told["additionalProperties"] is False
    for each in (
        told["$defs"]["d"],
        told["properties"]["list"]["items"],
        told["properties"]["one"]["anyOf"][0],
    ):
        assert each["additionalProperties"] is False


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object"},
        {"properties": {}, "additionalProperties": {"type": "string"}},
        {"properties": {}, "patternProperties": {"^x": {}}},
        {"allOf": [{"properties": {"a": {}}}, {"properties": {"b": {}}}]},
        {"properties": {"a": {}}, "anyOf": [{"properties": {"b": {}}}, {"properties": {"c": {}}}]},
        {"properties": {"a": {"properties": {"b": {}}, "$ref": "#/$defs/d"}}},
        {"oneOf": [{"properties": {"a": {}}}, {"properties": {"b": {}}}]},
        {"default": {"properties": {"a": 1}}, "enum": [{"properties": {}}]},
    ],
)
def test_what_says_it_itself_or_puts_schemas_together_stays_as_it_is(schema: dict[str, Any]) -> None:
    assert as_closed(schema) == schema


@pytest.mark.parametrize("schema", ["", "[", "[]", "true", '"geheim"', "[" * 60_000, '{"a":' * 30_000])
def test_what_is_no_schema_is_refused_by_the_name_of_its_field(schema: str) -> None:
    with pytest.raises(ComptoirError) as refusal:
        closed(schema, "tools[0].parameters_schema")
    assert (refusal.value.reason, refusal.value.field) == (
        Reason.PARAMETER_UNSUPPORTED,
        "tools[0].parameters_schema",
    )


def test_a_schema_of_thousands_within_is_closed_in_steps() -> None:
    within: dict[str, Any] = {f"p{number}": {"properties": {}} for number in range(2_000)}
    steps = closed_steps(json.dumps({"properties": within}), "field")
    # Each is simplified, looked at and closed.
    assert len(list(steps)) == 3 * (2_001 // 256)
