import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.cli.languages.corpus import LANGUAGES
from services.cli.languages.costs import PAGE_CHARACTERS, Counted, counted

COUNTS = st.integers(1, 10**6)


@given(characters=COUNTS, words=COUNTS, tokens=COUNTS, price=st.floats(0, 1_000))
def test_a_page_costs_its_tokens(characters: int, words: int, tokens: int, price: float) -> None:
    row = Counted(LANGUAGES["fr"], characters, words, tokens)
    assert row.page_tokens == pytest.approx(tokens * PAGE_CHARACTERS / characters)
    assert row.page_cost(price) * 1e6 == pytest.approx(row.page_tokens * price)
    assert row.tokens_per_word * words == pytest.approx(tokens)


def test_a_text_of_a_token_for_each_character_says_so() -> None:
    language = LANGUAGES["de"]
    row = counted(language, [len(paragraph) for paragraph in language.paragraphs])
    assert (row.tokens_per_character, row.page_tokens) == (1.0, PAGE_CHARACTERS)
    assert row.words == len(" ".join(language.paragraphs).split())


def test_the_same_content_is_held_against_another_language() -> None:
    english, greek = Counted(LANGUAGES["en"], 800, 140, 200), Counted(LANGUAGES["el"], 900, 120, 900)
    assert greek.beside(english) == 4.5
