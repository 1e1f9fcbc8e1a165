from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from tests.bench.beside.answers import first_difference
from tests.bench.beside.chat import Said

SAID = Said("Une réponse.", "stop", 12, 5)


@given(
    st.lists(st.builds(Said, st.text(), st.sampled_from(["stop", "length"]), st.integers(), st.integers()))
)
def test_the_same_answers_do_not_differ(answers: list[Said]) -> None:
    assert first_difference(answers, list(answers)) == ""


def test_a_difference_names_prompt_and_place_and_none_of_the_text() -> None:
    other = replace(SAID, text="Une repense secrète.")
    said = first_difference([SAID, SAID, SAID], [SAID, other, SAID])
    assert said == "prompt 2 of 3: answers of 13 and 21 bytes, alike up to byte 5"


def test_a_text_that_only_ends_earlier_differs_at_its_end() -> None:
    assert "alike up to byte 4" in first_difference([SAID], [replace(SAID, text="Une ")])


def test_tokens_and_endings_must_be_the_same_too() -> None:
    assert first_difference([SAID], [replace(SAID, input_tokens=13)]) == (
        "prompt 1 of 1: 12 input tokens, and 13"
    )
    assert "5 output tokens, and 6" in first_difference([SAID], [replace(SAID, output_tokens=6)])
    assert "other reasons" in first_difference([SAID], [replace(SAID, finish="length")])
    assert first_difference([SAID], []) == "1 prompts were answered, and 0"
