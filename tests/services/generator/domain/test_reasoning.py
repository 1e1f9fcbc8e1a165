"""However a stream is cut, the same is thought and said; and a mark is never told, not even in part."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.generator.domain.reasoning import (
    FORMATS,
    ReasoningReader,
    Section,
    section_behind,
    structure_behind,
)
from services.generator.domain.structure import Structure

QWEN, DEEPSEEK, TOLD = FORMATS["qwen3"], FORMATS["deepseek_r1"], FORMATS["deepseek_v3"]
TEXTS = st.text(st.sampled_from('ab <>/\n"é') | st.characters(), max_size=20)
THOUGHTS = TEXTS.filter(lambda text: QWEN.end not in text)
CUTS = st.lists(st.integers(0, 200), max_size=30)


def read(
    text: str, cuts: list[int], section: Section = Section.OPEN, *, is_cut: bool = False
) -> tuple[str, str]:
    """What was thought and what was said."""
    reader = ReasoningReader(QWEN, section)
    places = [0, *sorted(cut % (len(text) + 1) for cut in cuts), len(text)]
    pieces = [reader.read(text[begin:end]) for begin, end in itertools.pairwise(places)]
    pieces.append(reader.read("", is_last=True, is_cut=is_cut))
    return "".join(piece.thought for piece in pieces), "".join(piece.said for piece in pieces)


@given(THOUGHTS, TEXTS, CUTS)
def test_what_was_thought_and_said_is_read_wherever_it_is_cut(
    thought: str, said: str, cuts: list[int]
) -> None:
    expected = thought.lstrip("\r\n"), said.lstrip("\r\n")
    assert read(thought + QWEN.end + said, cuts) == expected
    assert read(" " + QWEN.begin + thought + QWEN.end + said, cuts, Section.POSSIBLE) == expected
    assert read(QWEN.begin + thought + QWEN.end + said, cuts, Section.ASSUMED) == expected


@given(TEXTS.filter(lambda text: not text.lstrip().startswith(QWEN.begin)), CUTS)
def test_an_answer_without_reasoning_is_told_as_it_is(text: str, cuts: list[int]) -> None:
    assert read(text, cuts, Section.POSSIBLE) == ("", text)
    assert read(text, cuts, Section.CLOSED) == ("", text)


@given(THOUGHTS, CUTS)
def test_what_never_ends_is_thought_and_nothing_is_said(thought: str, cuts: list[int]) -> None:
    assert read(thought, cuts) == (thought.lstrip("\r\n"), "")
    if not thought.lstrip().startswith(QWEN.begin):
        assert read(thought, cuts, Section.ASSUMED) == (thought.lstrip("\r\n"), "")


@given(st.integers(1, 30), CUTS)
def test_nothing_of_a_mark_is_told_where_the_answer_is_cut_within_it(length: int, cuts: list[int]) -> None:
    whole = f"{QWEN.begin}\nhm{QWEN.end}\n\noui"
    thought, said = read(whole[:length], cuts, Section.POSSIBLE, is_cut=True)
    assert "hm".startswith(thought)
    assert "oui".startswith(said)


def test_a_mark_that_comes_again_is_what_was_said() -> None:
    assert read("a</think>b<think>c</think>", []) == ("a", "b<think>c</think>")


def test_the_tokens_of_a_section_are_counted_with_its_marks() -> None:
    reader = ReasoningReader(QWEN, Section.POSSIBLE)
    for text in ("<thi", "nk>", "hm", "</think", ">", "\n\n", "oui"):
        reader.read(text, 1)
    assert reader.tokens == 5
    plain = ReasoningReader(QWEN, Section.POSSIBLE)
    for text in ("<thi", "s> ", "oui"):
        plain.read(text, 1)
    assert plain.tokens == 0


@pytest.mark.parametrize("count", [1_000, 100_000])
def test_a_long_thought_is_read_in_steps_that_hold_less_than_a_mark(count: int) -> None:
    reader = ReasoningReader(QWEN, Section.OPEN)
    longest = 0
    for piece in itertools.repeat("< \n</thin", count):
        reader.read(piece)
        longest = max(longest, len(reader._held))
    assert longest < len(QWEN.end)


@pytest.mark.parametrize(
    ("prompt_end", "of_qwen", "of_deepseek"),
    [
        ("<|im_end|>\n<|im_start|>assistant\n", Section.POSSIBLE, Section.ASSUMED),
        ("<|assistant|><think>\n", Section.OPEN, Section.OPEN),
        ("<|assistant|><think>\n\n</think>\n\n", Section.CLOSED, Section.CLOSED),
        ("<think><|end|><|assistant|>", Section.POSSIBLE, Section.ASSUMED),
    ],
)
def test_the_end_of_a_prompt_says_where_its_answer_begins(
    prompt_end: str, of_qwen: Section, of_deepseek: Section
) -> None:
    assert section_behind(prompt_end, QWEN) is of_qwen
    assert section_behind(prompt_end, DEEPSEEK) is of_deepseek
    of_told = Section.OPEN if of_qwen is Section.OPEN else Section.CLOSED
    assert section_behind(prompt_end, TOLD) is of_told


def test_a_structure_holds_behind_the_section_alone() -> None:
    asked, grammar = Structure('{"type":"boolean"}'), Structure(grammar='start: call\ncall: "a"')
    assert structure_behind(Section.CLOSED, QWEN, asked) == asked
    of_schema = structure_behind(Section.OPEN, QWEN, asked).grammar
    assert of_schema.splitlines()[0] == "start: thought gap answer"
    assert 'answer: %json {"type": "boolean", "x-guidance": {"whitespace_flexible": false}}' in of_schema
    of_grammar = structure_behind(Section.POSSIBLE, QWEN, grammar).grammar
    assert of_grammar.splitlines()[0] == 'start: answer | "<think>" thought gap answer'
    assert of_grammar.endswith('answer: call\ncall: "a"')
