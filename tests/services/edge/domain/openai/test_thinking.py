"""What is said of a model's thinking in one server's words is what it is in another's."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.edge.domain.openai.chat.request import parse_chat
from services.edge.domain.openai.responses.request import parse_response
from services.edge.domain.openai.thinking import template_arguments
from services.kernel.errors import ComptoirError, Reason
from tests.services.edge.domain.openai.chat.chats import CHAT, refusal

BOUNDS = st.none() | st.integers(0, 2**20)
INPUT = {"model": "tiny-eu", "input": "Bonjour"}


@pytest.mark.parametrize("is_on", [True, False])
def test_the_one_field_is_the_argument_of_the_template(is_on: bool) -> None:
    asked: dict[str, Any] = {"chat_template_kwargs": {"enable_thinking": is_on}}
    switched = {"enable_thinking": is_on}
    assert parse_chat(CHAT | switched).generation == parse_chat(CHAT | asked).generation
    assert parse_response(INPUT | switched).generation == parse_response(INPUT | asked).generation


def test_the_object_prevails_over_the_one_field() -> None:
    assert template_arguments({"enable_thinking": False, "a": 1}, is_thinking=True) == {
        "enable_thinking": False,
        "a": 1,
    }
    assert template_arguments({"enable_thinking": None}, is_thinking=True) == {"enable_thinking": True}
    assert template_arguments(None) == {}


@given(ours=BOUNDS, theirs=BOUNDS)
def test_the_smaller_of_both_bounds_of_the_section_counts(ours: int | None, theirs: int | None) -> None:
    bounds = {"thinking_token_budget": ours, "thinking_budget": theirs}
    expected = min((bound for bound in (ours, theirs) if bound is not None), default=None)
    for generation in (parse_chat(CHAT | bounds).generation, parse_response(INPUT | bounds).generation):
        assert generation.sampling.get("thinking_token_budget") == expected


@pytest.mark.parametrize(
    ("asked", "names"),
    [
        ({}, {}),
        ({"enable_thinking": False}, {"chat_template_kwargs": "enable_thinking"}),
        ({"enable_thinking": True, "chat_template_kwargs": {"a": 1}}, {}),
        ({"thinking_budget": 3}, {"thinking_token_budget": "thinking_budget"}),
        ({"thinking_budget": 3, "thinking_token_budget": 5}, {}),
    ],
)
def test_what_a_replica_refuses_has_the_name_that_was_sent(
    asked: dict[str, Any], names: dict[str, str]
) -> None:
    assert parse_chat(CHAT | asked).names_as_sent == names
    assert parse_response(INPUT | asked).names_as_sent == names


@pytest.mark.parametrize(
    ("name", "value"),
    [("enable_thinking", "yes"), ("enable_thinking", 1), ("thinking_budget", -1), ("thinking_budget", True)],
)
def test_values_of_another_type_are_refused_by_name(name: str, value: object) -> None:
    error = refusal(**{name: value})
    assert (error.reason, error.field) == (Reason.REQUEST_INVALID, name)


@pytest.mark.parametrize("value", [[1], {"a": 1}, 1.5, 2**63, "x" * 257])
def test_an_argument_that_no_template_takes_is_refused_here(value: object) -> None:
    with pytest.raises(ComptoirError) as refused:
        template_arguments({"style": value})
    assert (refused.value.reason, refused.value.field) == (
        Reason.PARAMETER_UNSUPPORTED,
        "chat_template_kwargs",
    )
