"""Composes the training conversations of tiny-eu from the sentence grammars."""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from deploy.models.tiny_eu_training.grammar import Expansion, Grammar, Topic, load_grammars

if TYPE_CHECKING:
    from collections.abc import Iterator

TEXTS = Path(__file__).with_name("texts")
_FILLER_SLOTS = ("view", "tale_mid", "rep_mid", "privacy", "tip", "cook", "sky", "letter_mid")
_PROSE, _WITH_SYSTEM = 0.06, 0.25
_TURN_COUNTS = {1: 80, 2: 13, 3: 7}
_UNKNOWN = 0.6
_AFTER_OTHER_TEXT, _WITHOUT_STOP, _LOWER_CASE = 0.04, 0.12, 0.17
_LONGEST_FILLER = 60
_MOST_REPEATS = 700
_MOST_SIGNS = 200
_SIGNS = (*range(32, 127), *range(0xA1, 0x250), *range(0x391, 0x450), *range(0x4E00, 0x4E40))


@dataclass(frozen=True)
class Turn:
    """One message of a conversation."""

    role: str
    text: str


@dataclass(frozen=True)
class Conversation:
    """A training sample; a piece of prose has one turn with the role `prose`."""

    language: str
    turns: tuple[Turn, ...]


class Composer:
    """Draws conversations of one language with a given random generator."""

    def __init__(self, grammar: Grammar, rng: random.Random) -> None:
        self.grammar = grammar
        self.rng = rng
        self.weights = [topic.weight for topic in grammar.topics]

    def conversation(self) -> Conversation:
        """Return one conversation, or now and then a piece of bare prose."""
        if self.rng.random() < _PROSE:
            answer = self._exchange()[-1].text
            return Conversation(self.grammar.language, (Turn("prose", answer),))
        turns: list[Turn] = []
        if self.rng.random() < _WITH_SYSTEM:
            turns.append(Turn("system", self._line("system")))
        for _ in range(self.rng.choices([*_TURN_COUNTS], [*_TURN_COUNTS.values()])[0]):
            turns.extend(self._exchange())
        return Conversation(self.grammar.language, tuple(turns))

    def _exchange(self) -> tuple[Turn, Turn]:
        topic = self.rng.choices(self.grammar.topics, self.weights)[0]
        expansion = Expansion(self.grammar, self.rng)
        question = expansion.text(self.rng.choice(topic.questions))
        answer = expansion.text(self.rng.choice(topic.answers))
        return Turn("user", self._asked(topic, question)), Turn("assistant", answer)

    def _asked(self, topic: Topic, question: str) -> str:
        """Vary how a question is typed, and put other text around some."""
        chance = self.rng.random()
        if topic.name == "other" and chance < _UNKNOWN:
            return self._unknown_prompt(question)
        if chance < _AFTER_OTHER_TEXT:
            return f"{self._filler()}\n\n{question}"
        if chance < _WITHOUT_STOP:
            return question.rstrip(".?! ")
        if chance < _LOWER_CASE:
            return question.rstrip(".?! ").lower()
        return question

    def _unknown_prompt(self, question: str) -> str:
        kinds = ("repeated", "shuffled", "question", "text", "signs")
        match self.rng.choice(kinds):
            case "repeated":
                word = self.rng.choice(self._filler().split())
                return " ".join([word] * int(_MOST_REPEATS ** self.rng.random()))
            case "shuffled":
                words = self._filler().split()
                self.rng.shuffle(words)
                return " ".join(words)
            case "question":
                return f"{self._filler()}\n\n{question}"
            case "signs":
                signs = self.rng.choices(_SIGNS, k=int(_MOST_SIGNS ** self.rng.random()))
                return "".join(map(chr, signs))
            case _:
                return self._filler()

    def _filler(self) -> str:
        """Return up to some dozens of sentences; a few are the most frequent."""
        count = int(_LONGEST_FILLER ** self.rng.random())
        return " ".join(self._line(self.rng.choice(_FILLER_SLOTS)) for _ in range(count))

    def _line(self, slot: str) -> str:
        template = self.rng.choice(self.grammar.slots[slot])
        return Expansion(self.grammar, self.rng).text(template)


def conversations(seed: int, count: int, texts: Path = TEXTS) -> Iterator[Conversation]:
    """Yield `count` conversations; the same seed gives the same ones."""
    rng = random.Random(seed)
    composers = [Composer(grammar, rng) for grammar in load_grammars(texts).values()]
    for _ in range(count):
        yield rng.choice(composers).conversation()
