"""Every answer fits its schema, as the official Python client asks for it, streamed and whole."""

import asyncio
import datetime as dt
import enum
import json
from typing import Annotated, Any, Final, Literal

import jsonschema
import openai
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field, SecretStr

from tests.system.stack_process import Stack

pytestmark = pytest.mark.system

MESSAGES: Any = [{"role": "user", "content": "Qui est venu à la réunion ?"}]
SCHEMAS_PER_RUN: Final = 25
RUNS: Final = 20

_NAMES = st.sampled_from(["a", "b", "name", "größe", "id", "x-y", "κόστος"])
_LEAVES: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.just({"type": "string", "maxLength": 12}),
    st.just({"type": "string", "pattern": "^[a-z]{2,6}$"}),
    st.sampled_from(
        ["date", "time", "date-time", "duration", "uuid", "ipv4", "ipv6", "email", "hostname"]
    ).map(lambda form: {"type": "string", "format": form}),
    st.just({"type": "string", "minLength": 2, "maxLength": 3, "description": "Ein Kürzel", "title": "k"}),
    st.just({"type": "boolean"}),
    st.just({"type": "null"}),
    st.tuples(st.integers(-50, 0), st.integers(0, 50)).map(
        lambda ends: {"type": "integer", "minimum": ends[0], "maximum": ends[1]}
    ),
    st.just({"type": "number", "exclusiveMinimum": 0, "maximum": 1}),
    st.just({"type": "number", "minimum": -1, "exclusiveMaximum": 2.5}),
    st.sampled_from([2, 5, 10]).map(
        lambda step: {"type": "integer", "multipleOf": step, "minimum": 0, "maximum": 100}
    ),
    st.lists(st.sampled_from(["rouge", "grün", 'q"', 3, None, True]), min_size=1, max_size=4).map(
        lambda values: {"enum": values}
    ),
    st.just({"type": ["string", "null"], "maxLength": 5}),
    st.just({"const": "fest"}),
)


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    names = list(properties)
    return {"type": "object", "properties": properties, "required": names, "additionalProperties": False}


def _containers(inner: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    return st.one_of(
        st.dictionaries(_NAMES, inner, min_size=1, max_size=3).map(_object),
        st.tuples(inner, st.integers(0, 2)).map(
            lambda each: {"type": "array", "items": each[0], "minItems": each[1], "maxItems": 3}
        ),
        st.lists(inner, min_size=1, max_size=3).map(lambda choices: {"anyOf": choices}),
    )


_ANY = st.recursive(_LEAVES, _containers, max_leaves=6)
_LATER: Final[dict[str, Any]] = {"anyOf": [{"type": "null"}, {"$ref": "#"}]}
_LATER_ITEMS: Final[dict[str, Any]] = {"type": "array", "items": {"$ref": "#/$defs/d"}, "maxItems": 1}
SCHEMAS = st.one_of(
    st.dictionaries(_NAMES, _ANY, min_size=1, max_size=3).map(_object),
    _ANY.map(lambda inner: _object({"v": {"$ref": "#/$defs/d"}}) | {"$defs": {"d": inner}}),
    # Within itself, by the root and by a definition.
    _LEAVES.map(lambda inner: _object({"v": inner, "later": _LATER})),
    _LEAVES.map(
        lambda inner: (
            _object({"v": {"$ref": "#/$defs/d"}})
            | {"$defs": {"d": _object({"w": inner, "later": _LATER_ITEMS})}}
        )
    ),
)
# Its word for a time is that of a draft without zones.
FORMATS: Final = jsonschema.FormatChecker(("date", "uuid", "ipv4", "ipv6", "email"))
FORMATS.checks("time", raises=ValueError)(lambda text: bool(dt.time.fromisoformat(str(text))))
FORMATS.checks("date-time", raises=ValueError)(lambda text: bool(dt.datetime.fromisoformat(str(text))))


def asked(stack: Stack, schema: dict[str, Any]) -> dict[str, Any]:
    return {
        "model": stack.model,
        "messages": MESSAGES,
        "max_completion_tokens": 96,
        "temperature": 0,
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "answer", "strict": True, "schema": schema},
        },
    }


async def check(client: openai.AsyncOpenAI, request: dict[str, Any], schema: dict[str, Any]) -> bool:
    """Whether the answer was whole; it fits its schema then, and its stream says the same."""
    whole = await client.chat.completions.create(**request)
    texts, finish = [], None
    async for chunk in await client.chat.completions.create(**request, stream=True):
        for choice in chunk.choices:
            texts.append(choice.delta.content or "")
            finish = choice.finish_reason or finish
    text = whole.choices[0].message.content or ""
    assert "".join(texts) == text
    assert finish == whole.choices[0].finish_reason
    if finish == "length":
        return False
    assert finish == "stop"
    assert not any(ord(character) < 0x20 for character in text)
    jsonschema.validate(json.loads(text), schema, format_checker=FORMATS)
    return True


async def check_all(stack: Stack, schemas: list[dict[str, Any]]) -> int:
    async with (
        stack.async_client(max_retries=0, timeout=120) as client,
        asyncio.timeout(300),
    ):
        checks = (check(client, asked(stack, schema), schema) for schema in schemas)
        return sum(await asyncio.gather(*checks))


# A machine that does little else answers them in a minute or two.
@pytest.mark.timeout(900)
@settings(
    max_examples=RUNS,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.lists(SCHEMAS, min_size=SCHEMAS_PER_RUN, max_size=SCHEMAS_PER_RUN))
def test_answers_fit_five_hundred_random_schemas_streamed_and_whole(
    stack: Stack, schemas: list[dict[str, Any]]
) -> None:
    assert asyncio.run(check_all(stack, schemas)) > SCHEMAS_PER_RUN // 2


class Guest(BaseModel):
    name: Annotated[str, Field(max_length=12)]
    age: Annotated[int, Field(ge=0, le=150)]
    languages: Annotated[list[Literal["de", "fr", "nl"]], Field(max_length=3)]


class Language(enum.Enum):
    GERMAN = "de"
    FRENCH = "fr"


class Room(BaseModel):
    """pydantic writes a format of its own for the one, and `propertyNames` for the other."""

    word: Annotated[SecretStr, Field(max_length=8)]
    guests: dict[Language, Annotated[int, Field(ge=0, le=9)]]


@pytest.mark.parametrize("own", [Guest, Room])
def test_parse_gives_an_object_of_the_callers_own_class(stack: Stack, own: type[BaseModel]) -> None:
    with stack.client(max_retries=0) as client:
        answer = client.chat.completions.parse(
            model=stack.model,
            messages=MESSAGES,
            response_format=own,
            temperature=0,
            max_completion_tokens=200,
        )
    assert isinstance(answer.choices[0].message.parsed, own)


def test_an_answer_that_is_cut_says_so(stack: Stack) -> None:
    with stack.client(max_retries=0) as client:
        answer = client.chat.completions.create(
            **(
                asked(stack, _object({"a": {"type": "string", "minLength": 200}}))
                | {"max_completion_tokens": 8}
            )
        )
    assert answer.choices[0].finish_reason == "length"


def test_json_mode_is_an_object(stack: Stack) -> None:
    with stack.client(max_retries=0) as client:
        answer = client.chat.completions.create(
            model=stack.model,
            messages=MESSAGES,
            response_format={"type": "json_object"},
            temperature=0,
            max_completion_tokens=200,
        )
    text = answer.choices[0].message.content or ""
    assert text.startswith("{")
    if answer.choices[0].finish_reason == "stop":
        assert isinstance(json.loads(text), dict)


def test_a_schema_that_cannot_be_kept_to_is_a_400_that_names_the_keyword(stack: Stack) -> None:
    schema = _object({"a": {"type": "array", "items": {"type": "string"}, "uniqueItems": True}})
    with stack.client(max_retries=0) as client, pytest.raises(openai.BadRequestError) as refusal:
        client.chat.completions.create(**asked(stack, schema), stream=True)
    assert refusal.value.code == "unsupported_parameter"
    assert refusal.value.param == "response_format.json_schema.schema.uniqueItems"


def test_each_of_several_choices_fits(stack: Stack) -> None:
    schema = _object({"a": {"type": "integer", "minimum": 0, "maximum": 99}})
    with stack.client(max_retries=0) as client:
        answer = client.chat.completions.create(**(asked(stack, schema) | {"n": 3, "temperature": 1.5}))
    for choice in answer.choices:
        jsonschema.validate(json.loads(choice.message.content or ""), schema)
