"""Prompts in the languages of the dataset, as long as asked, from sentence grammars and a seeded generator.

Every prompt begins with other sentences, so that a prefix cache serves little more than of strangers'.
"""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from deploy.models.tiny_eu_training.grammar import Expansion, Grammar
from services.cli.bench.errors import BenchError

LANGUAGES: Final = ("de", "en", "es", "fr", "it", "nl")
# Slots of whole sentences.
_SENTENCES: Final = (
    "view",
    "tale_mid",
    "rep_open",
    "rep_mid",
    "privacy",
    "tip",
    "cook",
    "sky",
    "letter_mid",
    "tale_open",
)
# How many characters become a token before anything was counted: what tokenizers of today need for Europe's
# languages, roughly.
CHARACTERS_PER_TOKEN: Final = 4.0

CountTokens = Callable[[str], int]


@dataclass(frozen=True, slots=True)
class Ratio:
    """How many tokens a prompt of so many characters has: `fixed_tokens` are those of the chat template."""

    characters_per_token: float = CHARACTERS_PER_TOKEN
    fixed_tokens: float = 0.0

    def characters(self, tokens: int) -> int:
        """Returns how long a text has to be, one character at least."""
        return max(1, round((tokens - self.fixed_tokens) * self.characters_per_token))


def ratio_between(short: tuple[int, int], long: tuple[int, int]) -> Ratio:
    """Returns the line through two prompts, each of characters and tokens; the default if there is none."""
    characters, tokens = long[0] - short[0], long[1] - short[1]
    if characters <= 0 or tokens <= 0:
        return Ratio()
    per_token = characters / tokens
    return Ratio(per_token, max(0.0, short[1] - short[0] / per_token))


class PromptWriter:
    """Writes prompts of the chosen languages, each of them as often as the others."""

    def __init__(
        self,
        grammars: Mapping[str, Grammar],
        rng: random.Random,
        ratios: Mapping[str, Ratio],
        count_tokens: CountTokens | None = None,
    ) -> None:
        self._grammars = grammars
        self._languages = tuple(grammars)
        self._rng = rng
        self._ratios = ratios
        self._count_tokens = count_tokens

    def write(self, tokens: int) -> str:
        """Returns a prompt of about so many tokens: to the word, where a tokenizer counts."""
        language = self._rng.choice(self._languages)
        characters = self._ratios.get(language, Ratio()).characters(tokens)
        if self._count_tokens is None:
            return self.text(language, characters)
        return _fitted(self._words(language), tokens, self._count_tokens)

    def text(self, language: str, characters: int) -> str:
        """Returns text of so many characters: sentences, cut where that is reached."""
        pieces: list[str] = []
        length = 0
        for sentence in self._sentences(language):
            pieces.append(sentence)
            length += len(sentence) + 1
            if length > characters:
                break
        return " ".join(pieces)[:characters]

    def _words(self, language: str) -> Iterator[str]:
        for sentence in self._sentences(language):
            yield from sentence.split()

    def _sentences(self, language: str) -> Iterator[str]:
        grammar = self._grammars[language]
        while True:
            slot = grammar.slots[self._rng.choice(_SENTENCES)]
            yield Expansion(grammar, self._rng).text(self._rng.choice(slot))


def _fitted(words: Iterator[str], tokens: int, count_tokens: CountTokens) -> str:
    """Returns the most words that have so many tokens at most, and one word at least."""
    taken: list[str] = [next(words)]
    while count_tokens(" ".join(taken)) < tokens:
        taken += [next(words) for _ in range(len(taken))]
    low, high = 1, len(taken)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if count_tokens(" ".join(taken[:middle])) <= tokens else (low, middle - 1)
    return " ".join(taken[:low])


def chosen_languages(names: Sequence[str]) -> tuple[str, ...]:
    """Returns the languages, each once; BenchError names those there are."""
    wanted = tuple(dict.fromkeys(names)) or LANGUAGES
    if not set(wanted) <= set(LANGUAGES):
        raise BenchError(f"There is no such language; there is {', '.join(LANGUAGES)}.")
    return wanted
