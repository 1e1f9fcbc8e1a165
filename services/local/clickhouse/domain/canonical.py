"""Tokens of a statement: of the engine's own canonical text, and of the head of an INSERT with data."""

from collections.abc import Iterator
from dataclasses import dataclass

_QUOTES = "'`\""


@dataclass(frozen=True, slots=True)
class Token:
    """One token; `kind` is word, quoted (an identifier in quotes), string, or the sign itself."""

    kind: str
    text: str
    start: int
    end: int

    def is_word(self, word: str) -> bool:
        """Whether this is `word`, in any case and without quotes."""
        return self.kind == "word" and self.text.upper() == word

    @property
    def is_name(self) -> bool:
        """Whether this can name a column, a function or a setting."""
        return self.kind in ("word", "quoted")


def tokens(text: str) -> Iterator[Token]:
    """The tokens of `text`, lazily, comments and space left out; an unclosed quote runs to the end."""
    at, size = 0, len(text)
    while at < size:
        sign = text[at]
        if sign.isspace():
            at += 1
            continue
        end = _comment_end(text, at)
        if end > at:
            at = end
            continue
        token = _token(text, at)
        at = token.end
        yield token


def _token(text: str, at: int) -> Token:
    sign = text[at]
    if sign in _QUOTES:
        end, value = _quoted(text, at)
        return Token("string" if sign == "'" else "quoted", value, at, end)
    if sign.isalnum() or sign == "_" or ord(sign) > 127:  # noqa: PLR2004 - the end of ASCII
        end = at + 1
        while end < len(text) and (text[end].isalnum() or text[end] in "_$" or ord(text[end]) > 127):  # noqa: PLR2004
            end += 1
        return Token("word", text[at:end], at, end)
    return Token(sign, sign, at, at + 1)


def _comment_end(text: str, at: int) -> int:
    if text.startswith("--", at) or text.startswith(("# ", "#!"), at):
        end = text.find("\n", at)
        return len(text) if end < 0 else end + 1
    if text.startswith("/*", at):
        end = text.find("*/", at + 2)
        return len(text) if end < 0 else end + 2
    return at


def _quoted(text: str, at: int) -> tuple[int, str]:
    quote, value, end = text[at], [], at + 1
    while end < len(text):
        sign = text[end]
        if sign == "\\":
            value.append(text[end + 1 : end + 2])
            end += 2
        elif sign == quote and text[end + 1 : end + 2] == quote:
            value.append(quote)
            end += 2
        elif sign == quote:
            return end + 1, "".join(value)
        else:
            value.append(sign)
            end += 1
    return len(text), "".join(value)
