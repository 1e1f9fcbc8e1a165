"""Whether a model answers in the language that its system prompt asks for."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from services.cli.languages.corpus import LANGUAGES, QUESTIONS, Language

# Returns the code of the language of a text; empty where that cannot be said.
Detect = Callable[[str], str]
# Returns the answer to a system prompt and a question.
Answer = Callable[[str, str], str]


@dataclass(frozen=True, slots=True)
class Answered:
    """In which languages answers came that were asked for in one; empty for one that cannot be told."""

    language: Language
    detected: Sequence[str]

    @property
    def right(self) -> int:
        """Returns how many came in the language that was asked for."""
        return sum(code == self.language.code for code in self.detected)


def asked(language: Language, answer: Answer, detect: Detect) -> Answered:
    """Asks in other languages, told to answer in this one; what is said is looked at and let go."""
    questions = [question for code, question in QUESTIONS.items() if code != language.code]
    return Answered(language, [detect(answer(language.instruction, question)) for question in questions])


def answering() -> Sequence[Language]:
    """Returns the languages that a model is told to answer in."""
    return [language for language in LANGUAGES.values() if language.instruction]
