"""Tokens per character and per word, and so per page and its price."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from services.cli.languages.corpus import Language

# A standard page of translators and publishers in much of Europe, spaces included.
PAGE_CHARACTERS: Final = 1_800
_MILLION: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Counted:
    """The corpus in one language, as a model counts it."""

    language: Language
    characters: int
    words: int
    tokens: int

    @property
    def tokens_per_character(self) -> float:
        """Returns tokens ÷ characters."""
        return self.tokens / self.characters

    @property
    def tokens_per_word(self) -> float:
        """Returns tokens ÷ words, which are what spaces part."""
        return self.tokens / self.words

    @property
    def page_tokens(self) -> float:
        """Returns the tokens of a page of PAGE_CHARACTERS."""
        return self.tokens_per_character * PAGE_CHARACTERS

    def page_cost(self, price_per_million: float) -> float:
        """Returns what a page costs as input, in the currency of the price."""
        return self.page_tokens * price_per_million / _MILLION

    def beside(self, other: "Counted") -> float:
        """Returns how many times the tokens of another language the same content needs here."""
        return self.tokens / other.tokens


def counted(language: Language, tokens: Sequence[int]) -> Counted:
    """Returns the corpus in a language by the tokens of its paragraphs."""
    text = language.paragraphs
    return Counted(
        language,
        sum(map(len, text)),
        sum(len(paragraph.split()) for paragraph in text),
        sum(tokens),
    )
