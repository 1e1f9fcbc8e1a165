"""Tokens of a statement: of the engine's own canonical text, and of the head of an INSERT with data."""

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

# Every alternative is possessive: no text makes the scan go back, so its time grows with its length only.
_TOKEN: Final = re.compile(
    r"""
      (?P<gap>\s++ | --[^\n]*+\n?+ | \#[\ !][^\n]*+\n?+ | /\*.*?(?:\*/|\Z))
    | (?P<string>'(?:[^'\\]++ | \\. | '')*+ (?:' | \\?+\Z))
    | (?P<quoted>`(?:[^`\\]++ | \\. | ``)*+ (?:` | \\?+\Z) | "(?:[^"\\]++ | \\. | "")*+ (?:" | \\?+\Z))
    | (?P<word>[A-Za-z0-9_\x80-\U0010ffff] [A-Za-z0-9_$\x80-\U0010ffff]*+)
    | (?P<sign>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_ESCAPES: Final = {"'": re.compile(r"\\(.?)|'(')", re.DOTALL), "`": re.compile(r"\\(.?)|`(`)", re.DOTALL)}
_ESCAPES['"'] = re.compile(r'\\(.?)|"(")', re.DOTALL)


class Token(NamedTuple):
    """One token; `kind` is word, quoted (an identifier in quotes), string, or the sign itself."""

    kind: str
    text: str
    start: int
    end: int

    def is_word(self, word: str) -> bool:
        """Returns whether this is `word`, in any case and without quotes."""
        return self.kind == "word" and self.text.upper() == word

    @property
    def is_name(self) -> bool:
        """Whether this can name a column, a function or a setting."""
        return self.kind in ("word", "quoted")


def tokens(text: str) -> Iterator[Token]:
    """Yields the tokens of `text`, comments and space left out; an unclosed quote runs to the end."""
    for match in _TOKEN.finditer(text):
        kind = match.lastgroup
        if kind == "word":
            yield Token("word", match[0], match.start(), match.end())
        elif kind == "sign":
            yield Token(match[0], match[0], match.start(), match.end())
        elif kind in ("string", "quoted"):
            yield Token(kind, _value(match[0]), match.start(), match.end())


def _value(quoted: str) -> str:
    quote, inner = quoted[0], quoted[1:]
    if "\\" not in inner and quote not in inner[:-1]:
        return inner.removesuffix(quote)
    # A last quote closes only if it is not itself escaped: what is left over after pairing is the close.
    pieces, at = [], 0
    for match in _ESCAPES[quote].finditer(inner):
        pieces += [inner[at : match.start()], match[1] or match[2] or ""]
        at = match.end()
    return "".join(pieces) + inner[at:].removesuffix(quote)
