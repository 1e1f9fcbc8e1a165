import unicodedata

import pytest

from services.cli.languages.corpus import LANGUAGES, QUESTIONS, Language

NAMES = list(LANGUAGES)


@pytest.mark.parametrize("language", LANGUAGES.values(), ids=NAMES)
def test_each_language_has_the_whole_text(language: Language) -> None:
    assert [bool(paragraph) for paragraph in language.paragraphs] == [True] * 3
    assert sum(map(len, language.paragraphs)) > 700
    for paragraph in language.paragraphs:
        assert unicodedata.is_normalized("NFC", paragraph)
        assert "\n" not in paragraph


def test_those_that_are_answered_in_have_an_instruction_and_three_questions_in_others() -> None:
    answered = [code for code, language in LANGUAGES.items() if language.instruction]
    assert answered == ["en", "fr", "de", "es", "it", "nl"]
    assert set(QUESTIONS) <= set(answered)
    assert all(len(set(QUESTIONS) - {code}) >= 3 for code in answered)
