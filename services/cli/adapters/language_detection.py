"""Says in which language a text is, among those of the corpus; nothing leaves the process."""

from collections.abc import Sequence
from typing import Final

from services.cli.languages.answers import Detect

# Of a probability between 0 and 1: less is a guess.
_LEAST: Final = 0.6
# Of shorter text nothing can be told.
_LEAST_CHARACTERS: Final = 20


def detecting(codes: Sequence[str]) -> Detect:
    """Returns what tells the languages of these codes apart."""
    # NumPy, for one command.
    from py3langid.langid import MODEL_FILE, LanguageIdentifier  # type: ignore[import-untyped] # noqa: PLC0415

    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    identifier.set_languages(codes)

    def detect(text: str) -> str:
        if len(text.strip()) < _LEAST_CHARACTERS:
            return ""
        code, probability = identifier.classify(text)
        return str(code) if probability >= _LEAST else ""

    return detect
