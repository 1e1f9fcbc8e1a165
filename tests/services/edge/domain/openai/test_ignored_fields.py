"""Fields without effect are counted at every level, and never named."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.edge.domain.openai.chat.body import ChatBody
from services.edge.domain.openai.chat.request import parse_chat
from services.edge.domain.openai.ignored_fields import count_ignored, ignored_steps
from services.edge.domain.openai.parameters import IGNORED, NEUTRAL
from services.kernel.steps import finished
from tests.services.edge.domain.openai.chat.chats import CHAT

NAMES = st.text().map(lambda text: f"x-{text}")
VALUES = st.none() | st.booleans() | st.integers() | st.text() | st.dictionaries(NAMES, st.integers())


def chat(**changes: Any) -> dict[str, Any]:
    return CHAT | changes


def count(body: dict[str, Any]) -> int:
    parse_chat(body)
    return count_ignored(body, (ChatBody,))


def test_a_request_that_is_understood_has_no_header() -> None:
    understood = chat(
        stream=True, stream_options={"include_usage": True}, temperature=1, best_of=1, stop=None, n=1
    )
    assert count(understood) == 0
    assert finished(ignored_steps(understood, ChatBody)) == []


@given(st.dictionaries(NAMES, VALUES), st.dictionaries(NAMES, VALUES), st.dictionaries(NAMES, VALUES))
def test_unknown_fields_count_wherever_they_stand(
    top: dict[str, Any], message: dict[str, Any], part: dict[str, Any]
) -> None:
    body = chat(
        messages=[
            {
                "role": "user",
                "content": [{"type": "text", "text": "x", **part}, {"type": "text", "text": "y"}],
            },
            {"role": "assistant", "content": "y", **message},
        ],
        **top,
    )
    said = [value for fields in (top, message, part) for value in fields.values() if value is not None]
    assert count(body) == len(said)


@pytest.mark.parametrize("name", sorted(IGNORED))
def test_a_known_field_that_has_no_effect_counts(name: str) -> None:
    assert count(chat(**{name: "x"})) == 1
    assert count(chat(**{name: None})) == 0


@pytest.mark.parametrize("name", sorted(NEUTRAL))
def test_a_value_that_changes_nothing_had_its_effect(name: str) -> None:
    for value in NEUTRAL[name].values:
        assert count(chat(**{name: value})) == 0


def test_a_name_of_a_message_counts() -> None:
    assert count(chat(messages=[{"role": "user", "content": "x", "name": "Ana"}])) == 1
    assert count(chat(stream=True, stream_options={"include_obfuscation": False})) == 1


def test_the_header_is_a_number_alone() -> None:
    assert finished(ignored_steps(chat(canary=1, other={"canary": 2}), ChatBody)) == [
        (b"x-comptoir-ignored-fields", b"2")
    ]
