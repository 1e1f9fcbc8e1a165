"""The corpus: one text in eleven languages, and what a model is asked in six of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

_TEXTS: Final = Path(__file__).with_name("texts")


@dataclass(frozen=True, slots=True)
class Language:
    """A language by its ISO 639 code; `instruction` tells a model to answer in it, empty where none is."""

    code: str
    name: str
    instruction: str = ""

    @property
    def paragraphs(self) -> Sequence[str]:
        """Returns the text, of which every language has the same."""
        return (_TEXTS / f"{self.code}.txt").read_text(encoding="utf-8").strip().split("\n\n")


LANGUAGES: Final[Mapping[str, Language]] = MappingProxyType(
    {
        language.code: language
        for language in (
            Language("en", "English", "Answer in English only, whatever language you are asked in."),
            Language(
                "fr", "French", "Réponds uniquement en français, quelle que soit la langue de la question."
            ),
            Language("de", "German", "Antworte nur auf Deutsch, in welcher Sprache du auch gefragt wirst."),
            Language(
                "es", "Spanish", "Responde solo en español, sea cual sea el idioma en que se te pregunte."
            ),
            Language("it", "Italian", "Rispondi solo in italiano, in qualunque lingua ti si chieda."),
            Language(
                "nl", "Dutch", "Antwoord alleen in het Nederlands, in welke taal je ook iets wordt gevraagd."
            ),
            Language("pl", "Polish"),
            Language("cs", "Czech"),
            Language("hu", "Hungarian"),
            Language("el", "Greek"),
            Language("bg", "Bulgarian"),
        )
    }
)

QUESTIONS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "en": "Tell me in three sentences what one can do in a big city on a rainy day.",
        "fr": "Dis-moi en trois phrases ce que l'on peut faire un jour de pluie dans une grande ville.",
        "de": "Sage mir in drei Sätzen, was man an einem Regentag in einer großen Stadt tun kann.",
        "es": "Dime en tres frases qué se puede hacer en una gran ciudad un día de lluvia.",
    }
)
