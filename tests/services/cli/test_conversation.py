"""A chat's turns, its lines, and what of an answer a terminal is shown."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.cli.conversation import Command, Conversation, Question, asked_by, is_writable, shown, writable


def test_a_question_is_asked_with_every_turn_before_it() -> None:
    conversation = Conversation()
    conversation.remember("Bonjour", "Salut")
    assert conversation.with_question("Et toi ?") == [
        ("user", "Bonjour"),
        ("assistant", "Salut"),
        ("user", "Et toi ?"),
    ]
    assert conversation.questions == 1


def test_a_question_that_got_nothing_is_not_remembered() -> None:
    conversation = Conversation()
    conversation.remember("Bonjour", "")
    assert conversation.with_question("x") == [("user", "x")]


def test_what_is_cleared_is_forgotten() -> None:
    conversation = Conversation()
    conversation.remember("a", "b")
    conversation.clear()
    assert (conversation.questions, conversation.with_question("x")) == (0, [("user", "x")])


@given(st.lists(st.tuples(st.text(), st.text())))
def test_turns_alternate_whatever_was_answered(exchanges: list[tuple[str, str]]) -> None:
    conversation = Conversation()
    for question, answer in exchanges:
        conversation.remember(question, answer)
    roles = [role for role, _ in conversation.with_question("x")]
    assert roles == ["user", "assistant"] * (len(roles) // 2) + ["user"]


@pytest.mark.parametrize(
    ("line", "asked"),
    [
        ("", None),
        ("  \t", None),
        ("Bonjour ", Question("Bonjour")),
        ("/help", Command("/help")),
        ("/model  tiny-eu ", Command("/model", "tiny-eu")),
        ("/", Command("/")),
        (" /etc is what?", Question("/etc is what?")),
    ],
)
def test_a_line_is_a_command_a_question_or_nothing(line: str, asked: object) -> None:
    assert asked_by(line) == asked


def test_an_answer_cannot_command_the_terminal() -> None:
    assert shown("a\x1b]0;title\x07b\x9b2Jc\r\n\td") == "a]0;titleb2Jc\n\td"


@given(st.text())
def test_nothing_but_control_characters_is_left_out(text: str) -> None:
    left_out = [letter for letter in text if unicodedata.category(letter) == "Cc" and letter not in "\n\t"]
    assert len(shown(text)) == len(text) - len(left_out)


@given(st.text(st.characters(codec=None, categories=("L", "N", "Cs"))))
def test_whatever_was_generated_can_be_written(text: str) -> None:
    writable(text).encode()
    assert is_writable(writable(text))
    assert writable(text) == text or not is_writable(text)


def test_halves_of_a_character_that_meet_are_one_and_a_lone_one_is_replaced() -> None:
    assert writable("a\ud83d\ude00b\ud800c") == "a\U0001f600b\ufffdc"
