"""What the SDK knows and the tables do not is found by its name; what is said is what is served."""

from typing import Any, Literal
from unittest import mock

import pytest
from openai.types.chat import ChatCompletionStreamOptionsParam
from typing_extensions import TypedDict

from docs import openai_tables
from docs.openai_fields import Field
from docs.openai_sdk import Route, parameters, routes
from docs.openai_tables import MissingRowError, fate, openai_sdk
from services.edge.domain.openai.chat.body import ChatBody
from services.edge.domain.openai.within_parameters import (
    SERVED_VALUES,
    SERVED_WITHIN,
    UNSERVED_VALUES,
    WHY_UNSERVED_WITHIN,
)
from services.edge.domain.timeline import Endpoint

KNOWN = routes()
CHAT = Route("/chat/completions", "POST")


class NewerOptions(ChatCompletionStreamOptionsParam, total=False):
    dreaminess: bool


class NewerTool(TypedDict):
    type: Literal["dream"]


def lines(*, route: Route | None = None, name: str = "", hint: Any = bool) -> list[str]:
    """What is written where the SDK knows another endpoint, or another parameter, or a type of one."""
    known = KNOWN | ({route} if route else set())

    def newer(of: Route) -> tuple[Field, ...]:
        kept = tuple(field for field in parameters(of) if field.path != name)
        return (*kept, Field(name, (hint,))) if name else kept

    with (
        mock.patch.object(openai_tables, "routes", return_value=known),
        mock.patch.object(openai_tables, "parameters", newer),
    ):
        return list(openai_sdk())


def test_every_endpoint_and_every_parameter_of_what_is_served_has_a_row() -> None:
    written = lines()
    text = "\n".join(written)
    for route in KNOWN:
        (row,) = [line for line in written if line.startswith("|") and f" /v1{route.path}` |" in line
                  and route.verb in line]  # fmt: skip
        assert len(row.split(" | ")) == 2
    for field in parameters(CHAT):
        assert f"\n| `{field.path}` | " in text
    for path in ("stream_options.include_usage", "response_format.json_schema.strict", "reasoning.effort",
                 "tools[].function.strict", "tools[].strict", "text.format"):  # fmt: skip
        assert f"\n| `{path}` | served | " in text


def test_a_new_endpoint_is_a_missing_row() -> None:
    with pytest.raises(MissingRowError, match=r"says nothing of /dreams/\{id\}"):
        lines(route=Route("/dreams/{id}", "POST"))


def test_a_new_parameter_is_a_missing_row() -> None:
    with pytest.raises(MissingRowError, match=r"CHAT_COMPLETIONS.* why dreaminess is ignored"):
        lines(name="dreaminess")


@pytest.mark.parametrize(
    ("name", "hint", "missing"),
    [
        ("stream_options", NewerOptions, r"CHAT_COMPLETIONS.* why stream_options\.dreaminess is ignored"),
        ("tools", list[NewerTool], r"what becomes of dream as tools\[\]\.type"),
        ("service_tier", Literal["auto", "dreamy"], "what becomes of dreamy as service_tier"),
    ],
)
def test_a_new_field_kind_or_value_within_a_parameter_is_a_missing_row(
    name: str, hint: Any, missing: str
) -> None:
    with pytest.raises(MissingRowError, match=missing):
        lines(name=name, hint=hint)


def test_nothing_is_said_of_what_the_sdk_does_not_know() -> None:
    text = "\n".join(lines())
    for path in (*SERVED_WITHIN, *WHY_UNSERVED_WITHIN):
        assert f"\n| `{path}` | " in text
    for place in SERVED_VALUES:
        assert f"\n| `{place.removesuffix('[]')}` | served | " in text
    for place, values in UNSERVED_VALUES.items():
        rows = "\n".join(row for row in text.split("\n") if row.startswith(f"| `{place}`: "))
        assert [value for value in values if f"`{value}`" not in rows] == []


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("temperature", "served | a number from 0 to 2"),
        ("store", "refused, unless absent or false | nothing is stored here"),
        ("user", "ignored | who asks changes no answer, and is not kept"),
    ],
)
def test_a_parameter_is_served_refused_or_ignored(name: str, expected: str) -> None:
    assert fate((ChatBody,), Endpoint.CHAT_COMPLETIONS, name) == expected
