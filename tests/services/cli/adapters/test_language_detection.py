import pytest

from services.cli.adapters.language_detection import detecting
from services.cli.languages.answers import Detect
from services.cli.languages.corpus import LANGUAGES, QUESTIONS, Language


@pytest.fixture(scope="module")
def detect() -> Detect:
    return detecting(list(LANGUAGES))


@pytest.mark.parametrize("language", LANGUAGES.values(), ids=list(LANGUAGES))
def test_each_language_of_the_corpus_is_told_from_all_others(language: Language, detect: Detect) -> None:
    assert [detect(paragraph) for paragraph in language.paragraphs] == [language.code] * 3


@pytest.mark.parametrize("code", QUESTIONS)
def test_a_sentence_is_enough(code: str, detect: Detect) -> None:
    assert detect(QUESTIONS[code]) == code


@pytest.mark.parametrize("text", ["", "   \n", "ok", "12 + 30 = 42; 9 - 3 = 6; 81 / 9 = 9"])
def test_what_has_no_language_gets_none(text: str, detect: Detect) -> None:
    assert detect(text) == ""
