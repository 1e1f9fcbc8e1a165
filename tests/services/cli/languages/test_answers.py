from services.cli.languages.answers import answering, asked
from services.cli.languages.corpus import LANGUAGES, QUESTIONS


def test_a_language_is_asked_for_in_others_and_what_came_is_told() -> None:
    told: list[tuple[str, str]] = []

    def answer(instruction: str, question: str) -> str:
        told.append((instruction, question))
        return question

    french = LANGUAGES["fr"]
    found = asked(french, answer, lambda text: "fr" if text == QUESTIONS["de"] else "")
    assert [instruction for instruction, _ in told] == [french.instruction] * len(told)
    assert QUESTIONS["fr"] not in [question for _, question in told]
    assert (found.right, list(found.detected)) == (1, ["", "fr", ""])


def test_six_languages_are_answered_in() -> None:
    assert [language.name for language in answering()] == [
        "English",
        "French",
        "German",
        "Spanish",
        "Italian",
        "Dutch",
    ]
