"""What stands within a parameter of OpenAI's SDK is read from its types."""

from collections.abc import Iterable
from typing import Literal, Optional, Required, Union

from typing_extensions import TypedDict

from docs.openai_fields import Field


class Function(TypedDict, total=False):
    type: Required[Literal["function"]]
    strict: Optional[bool]  # noqa: UP045 - as the SDK writes it
    schema: dict[str, object]


class Search(TypedDict, total=False):
    type: Required[Literal["search", "search_2"]]
    filters: list[str]


class Choice(TypedDict):
    mode: Literal["auto", "required"]


TOOLS = Field("tools", (Iterable[Union[Function, Search]],))  # noqa: UP007 - as the SDK writes it


def taken(path: str, kind: str) -> bool:
    return (path, kind) == ("tools[].type", "function")


def test_fields_are_those_of_the_kinds_that_are_taken_and_every_kind_is_a_value() -> None:
    below = {field.path: field for field in TOOLS.below(taken)}
    assert list(below) == ["tools[].schema", "tools[].strict", "tools[].type"]
    assert [value for _, value in below["tools[].type"].values()] == ["function", "search", "search_2"]
    assert below["tools[].strict"].name == "strict"


def test_an_object_without_a_kind_is_always_read() -> None:
    field = Field("tool_choice", (Union[Literal["none"], Choice],))  # noqa: UP007
    assert [below.path for below in field.below(taken)] == ["tool_choice.mode"]
    assert list(field.values()) == [("tool_choice", "none")]


def test_where_any_string_may_stand_no_value_is_named() -> None:
    assert list(Field("model", (Union[str, Literal["o9"]],)).values()) == []  # noqa: UP007, PYI051


def test_the_values_of_a_list_have_a_place_of_their_own_and_stand_once() -> None:
    field = Field("include", (list[Literal["a", "b"]], list[Literal["b"]]))
    assert list(field.values()) == [("include[]", "a"), ("include[]", "b")]


def test_keys_that_callers_choose_are_no_fields() -> None:
    assert list(Field("metadata", (dict[str, Choice],)).below(taken)) == []
