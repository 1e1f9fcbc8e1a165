"""Prompts: in their language, as long as asked, different, and the same for a seed."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.cli.bench.errors import BenchError
from services.cli.bench.prompts import (
    CHARACTERS_PER_TOKEN,
    LANGUAGES,
    PromptWriter,
    Ratio,
    chosen_languages,
    ratio_between,
)
from services.cli.bench_plan import grammars_of

GRAMMARS = grammars_of("")


def writer(seed: int = 1, languages: str = "", ratio: Ratio | None = None) -> PromptWriter:
    ratios = {} if ratio is None else dict.fromkeys(LANGUAGES, ratio)
    return PromptWriter(grammars_of(languages), random.Random(seed), ratios)


@given(st.integers(1, 3000), st.integers(), st.sampled_from(LANGUAGES))
def test_a_prompt_has_so_many_characters_for_each_token(tokens: int, seed: int, language: str) -> None:
    own = PromptWriter({language: GRAMMARS[language]}, random.Random(seed), {})
    assert len(own.write(tokens)) == round(tokens * CHARACTERS_PER_TOKEN)


def test_tokens_of_the_template_are_left_out_of_the_text() -> None:
    assert len(writer(ratio=Ratio(3.0, 10.0)).write(110)) == 300
    assert len(writer(ratio=Ratio(3.0, 10.0)).write(5)) == 1


def test_with_a_tokenizer_no_word_more_would_fit() -> None:
    def count(text: str) -> int:
        return len(text.split())

    own = PromptWriter(GRAMMARS, random.Random(2), {}, count)
    assert [count(own.write(tokens)) for tokens in (1, 7, 100, 999)] == [1, 7, 100, 999]


def test_every_language_writes_its_own_words() -> None:
    words = {"de": " und ", "en": " the ", "es": " el ", "fr": " le ", "it": " il ", "nl": " het "}
    for language, word in words.items():
        assert word in writer(languages=language).text(language, 5000)
    assert writer(languages="fr").write(500).isprintable()


def test_prompts_differ_from_their_beginning_and_are_the_same_for_a_seed() -> None:
    first, second = writer(3), writer(3)
    prompts = [first.write(64) for _ in range(300)]
    assert prompts == [second.write(64) for _ in range(300)]
    assert len(set(prompts)) == 300
    # A cache of blocks of 16 tokens serves few of them: hardly two share a beginning.
    assert len({prompt[:64] for prompt in prompts}) > 200


def test_two_prompts_say_how_many_characters_a_token_has_and_what_the_template_adds() -> None:
    assert ratio_between((200, 60), (1200, 310)) == Ratio(4.0, 10.0)


@pytest.mark.parametrize("long", [(1200, 0), (1200, 60), (200, 90)])
def test_counts_that_make_no_line_leave_the_default(long: tuple[int, int]) -> None:
    assert ratio_between((200, 60), long) == Ratio()


def test_languages_are_known_and_taken_once() -> None:
    assert chosen_languages([]) == LANGUAGES
    assert chosen_languages(["fr", "de", "fr"]) == ("fr", "de")
    with pytest.raises(BenchError, match="de, en, es"):
        chosen_languages(["fr", "pt"])
