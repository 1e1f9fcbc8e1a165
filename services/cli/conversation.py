"""The turns of a chat on a terminal, in memory alone, and what a line of it asks for; pure."""

import unicodedata
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

Role: TypeAlias = Literal["user", "assistant"]

COMMANDS: Final = {
    "/help": "what can be typed",
    "/clear": "forget every turn so far, and begin anew",
    "/model": "say which model answers; `/model NAME` asks another one from now on",
    "/quit": "end, as Ctrl-D does",
}
_SHOWN_CONTROLS: Final = frozenset("\n\t")
_HALF: Final = "Cs"
NOT_WRITABLE: Final = "What was typed is not UTF-8; nothing was asked."


@dataclass(frozen=True, slots=True)
class Command:
    """A line that begins with `/`: a name that may not exist, and what follows it."""

    name: str
    argument: str = ""


@dataclass(frozen=True, slots=True)
class Question:
    """A line that is for the model."""

    text: str


@dataclass(slots=True)
class Conversation:
    """What was said: every question with its answer, and nothing that failed."""

    _turns: list[tuple[Role, str]] = field(default_factory=list)

    @property
    def questions(self) -> int:
        """How many questions are remembered."""
        return len(self._turns) // 2

    def with_question(self, text: str) -> list[tuple[Role, str]]:
        """Returns all turns and a question behind them, which is not remembered before its answer is."""
        return [*self._turns, ("user", text)]

    def remember(self, question: str, answer: str) -> None:
        """Keeps a question with its answer, or with as much of it as there is; with none, keeps neither.

        Models are made for turns that alternate: a question without its answer would stand before the next.
        """
        if answer:
            self._turns += [("user", question), ("assistant", answer)]

    def clear(self) -> None:
        """Forgets everything."""
        self._turns.clear()


def asked_by(line: str) -> Command | Question | None:
    """Returns what a line asks for; None where it is blank. A space before `/` makes it a question."""
    if not line.strip():
        return None
    if not line.startswith("/"):
        return Question(line.strip())
    name, _, argument = line.strip().partition(" ")
    return Command(name, argument.strip())


def is_writable(text: str) -> bool:
    """Returns whether it can be sent and printed: bytes that are no UTF-8 come from a terminal as halves."""
    return not any(unicodedata.category(letter) == _HALF for letter in text)


def writable(text: str) -> str:
    """Returns generated text with U+FFFD for each half of a character, which nothing can write."""
    return text if is_writable(text) else text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def shown(text: str) -> str:
    """Returns generated text without what would command the terminal, such as to move its cursor."""
    return "".join(
        letter for letter in text if letter in _SHOWN_CONTROLS or unicodedata.category(letter) != "Cc"
    )
