"""What people see as one character never comes in two pieces."""

import importlib
import unicodedata
from collections.abc import Sequence
from itertools import accumulate
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.generator.domain.delta import Delta, EngineFinish
from services.generator.domain.graphemes import Graphemes, settled

# It has Unicode's own rule for a character, and no types.
regex: Any = importlib.import_module("regex")
SEEN = [
    "👨‍👩‍👧",
    "🇫🇷",
    "🇩🇪",
    "👍🏽",
    "❤️",
    "🏴󠁧󠁢󠁥󠁮󠁧󠁿",
    "🏳️‍🌈",
    "©️",
    "क्षि",
    "नी",
    "กำ",
    "שָׁ",
    "سَّ",
    "\r\n",
    unicodedata.normalize("NFD", "각"),
    unicodedata.normalize("NFD", "하"),
    "\u07ca\u07ec",
    "ꦏꦿ",
    "ក្ក",
]
# Letters with marks behind them, of scripts that mostly have them in one.
DECOMPOSED = [
    *(unicodedata.normalize("NFD", text) for text in ("é", "й", "ệ", "ώ", "が")),
    "a\u0330\u030b",
    "漢\U000e0100",
    "가\u11a8",
]
KEYS = ["1️⃣", "#️⃣"]
PLAIN = ["a", " ", "é", "ß", "λ", "ж", "漢", "\n", "1", "…"]


def told(pieces: Sequence[str], *, index: int = 0, prompt: str = "") -> list[str]:
    graphemes, said = Graphemes(), []
    graphemes.expect((prompt,))
    for place, piece in enumerate(pieces):
        is_last = place == len(pieces) - 1
        delta = Delta(piece, 1, EngineFinish.STOP if is_last else None, index=index)
        graphemes.hold(delta)
        said.append(delta.text)
    return said


def characters(text: str) -> list[str]:
    return regex.findall(r"\X", text)  # type: ignore[no-any-return]


def cut(text: str, data: st.DataObject) -> list[str]:
    cuts = sorted(data.draw(st.sets(st.integers(1, max(1, len(text) - 1)))))
    return [text[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]


def check_whole(said: list[str], text: str) -> None:
    assert "".join(said) == text
    ends = set(accumulate(map(len, characters(text)), initial=0))
    assert ends.issuperset(accumulate(map(len, said), initial=0))


@given(st.lists(st.sampled_from([*SEEN, *PLAIN]), min_size=1, max_size=8).map("".join), st.data())
def test_no_piece_begins_within_a_character(text: str, data: st.DataObject) -> None:
    check_whole(told(cut(text, data)), text)


@pytest.mark.parametrize("prompt", ["Où ça ? 1️⃣ Où", "わたし 2️⃣ が"], ids=["latin", "kana"])
@given(st.lists(st.sampled_from([*SEEN, *DECOMPOSED, *KEYS, *PLAIN]), min_size=1, max_size=8), st.data())
def test_an_answer_to_a_decomposed_text_has_whole_letters(
    prompt: str, parts: list[str], data: st.DataObject
) -> None:
    text = "".join(parts)
    check_whole(told(cut(text, data), prompt=unicodedata.normalize("NFD", prompt)), text)


@pytest.mark.parametrize("text", [*DECOMPOSED, *KEYS])
def test_of_an_answer_to_other_texts_the_first_mark_alone_may_come_apart(text: str) -> None:
    said = told([*text, "a", *text, "b", *text, "c"])
    assert "".join(said) == f"{text}a{text}b{text}c"
    assert all(text in piece or piece in ("", "a", "b", "c") for piece in said[len(text) + 1 :])


@pytest.mark.parametrize(
    "text", ["é", "ệ", "ω̃", "й", "が", "각", "שָׁלוֹם", "مُحَمَّد"], ids=lambda text: unicodedata.name(text[0])
)
def test_a_decomposed_character_of_each_script_is_one(text: str) -> None:
    text = unicodedata.normalize("NFD", text)
    assert [piece for piece in told([*text, "."], prompt=text) if piece][:-1] == characters(text)[:-1]


@pytest.mark.parametrize("text", ["Straße", "Ευρώπη", "Европа", "ひらがな", "漢字", "1, 2"])
def test_letters_of_a_text_without_marks_wait_for_nothing(text: str) -> None:
    assert told([*text, "."], prompt=f"{text} ❤️ 👨‍👩‍👧 שָׁ") == [*text, "."]


@pytest.mark.parametrize("text", SEEN)
def test_a_character_that_comes_in_code_points_is_told_once_and_whole(text: str) -> None:
    assert [piece for piece in told([*text, "a"]) if piece] in ([text, "a"], [f"{text}a"])


@pytest.mark.parametrize("text", PLAIN)
def test_nothing_waits_that_nothing_can_change(text: str) -> None:
    assert settled(f"🌊{text}") == len(f"🌊{text}")


@given(st.text(), st.text())
def test_nothing_is_lost_and_each_choice_has_its_own(one: str, other: str) -> None:
    graphemes, said = Graphemes(), {0: "", 1: ""}
    for index, char in [*((0, char) for char in one), *((1, char) for char in other)]:
        delta = Delta(char, index=index)
        graphemes.hold(delta)
        said[index] += delta.text
    for index in said:
        last = Delta(finish=EngineFinish.LENGTH, index=index)
        graphemes.hold(last)
        said[index] += last.text
    assert said == {0: one, 1: other}


def test_marks_without_end_are_not_held_for_ever() -> None:
    said = told(["a", *("\u0301" * 100), "b"])
    assert max(map(len, said)) <= 34
    assert "".join(said) == "a" + "\u0301" * 100 + "b"


def test_flags_without_end_are_gone_through_once() -> None:
    assert settled("🇫" * 10_001) == 10_000
    assert settled("🇫" * 10_000) == 10_000
