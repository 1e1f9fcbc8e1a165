"""Text is told in characters as people see them: an emoji of several parts, a flag, a letter with marks."""

import unicodedata
from typing import Final

from services.generator.domain.delta import Delta

# Nothing longer is a character that a person would write.
_MOST_HELD: Final = 32
_JOINER: Final = "\u200d"
# A letter behind one of these is one with the letter before: the viramas of Indic scripts.
_LINKERS: Final = frozenset("\u094d\u09cd\u0acd\u0b4d\u0c4d\u0d4d")
# Vowels of Thai and Lao that are marks and count as letters.
_MARK_LETTERS: Final = frozenset("\u0e33\u0eb3")
# Of flags, of which two are one.
_FIRST_FLAG, _LAST_FLAG = "\U0001f1e6", "\U0001f1ff"
# Modifiers of skin, and the letters within the flags of regions.
_MODIFIERS: Final = (("\U0001f3fb", "\U0001f3ff"), ("\U000e0020", "\U000e007f"))
# What other parts may be joined to; a few more than are emoji.
_PICTURES: Final = (
    ("\u00a9", "\u00a9"),
    ("\u00ae", "\u00ae"),
    ("\u203c", "\u203c"),
    ("\u2049", "\u2049"),
    ("\u2122", "\u2122"),
    ("\u2139", "\u2139"),
    ("\u2190", "\u21ff"),
    ("\u2300", "\u23ff"),
    ("\u25a0", "\u27bf"),
    ("\u2900", "\u297f"),
    ("\u2b00", "\u2bff"),
    ("\u3030", "\u303d"),
    ("\u3297", "\u3299"),
    ("\U0001f000", "\U0001faff"),
)
# Scripts whose letters have marks in ordinary texts: Hebrew to Syriac, Devanagari to Myanmar, Khmer.
_MARKED: Final = (("\u0590", "\u07bf"), ("\u08a0", "\u109f"), ("\u1780", "\u17ff"))


class Graphemes:
    """Holds back the end of a delta that what comes next may be one character with.

    Letters of Latin, Greek and Cyrillic are never held: what they are written with is one code point as a
    rule, and every token would wait for the next.
    """

    def __init__(self) -> None:
        self._held: dict[int, str] = {}

    def hold(self, delta: Delta) -> None:
        """Moves text from the end of a delta to the next one of its choice, and none from the last one."""
        text = delta.text
        if not self._held and text.isascii() and text[-1:] != "\r":
            return
        text = self._held.pop(delta.index, "") + text
        end = len(text) if delta.finish is not None else settled(text)
        if end < len(text):
            self._held[delta.index] = text[end:]
        delta.text = text[:end]


def settled(text: str) -> int:
    """Returns how much of a text stays as it is, whatever comes behind it."""
    if not text or not _may_go_on(text):
        return len(text)
    begin = len(text) - 1
    while begin > 0 and _is_joined(text, begin):
        begin -= 1
        if len(text) - begin > _MOST_HELD:
            return len(text)
    return begin


def _may_go_on(text: str) -> bool:
    last = text[-1]
    if _is_flag(last):
        return _flags_before(text, len(text)) % 2 == 1
    return last == "\r" or _is_extending(last) or _is_in(last, _PICTURES) or _is_in(last, _MARKED)


def _is_joined(text: str, index: int) -> bool:
    """Returns whether the code point there is one character with that before it."""
    before, here = text[index - 1], text[index]
    if _is_extending(here):
        return before not in "\r\n"
    if _is_flag(here) and _is_flag(before):
        return _flags_before(text, index) % 2 == 1
    if before == "\r":
        return here == "\n"
    return before == _JOINER or before in _LINKERS


def _flags_before(text: str, end: int) -> int:
    count = 0
    while count < end and _is_flag(text[end - 1 - count]):
        count += 1
    return count


def _is_flag(char: str) -> bool:
    return _FIRST_FLAG <= char <= _LAST_FLAG


def _is_extending(char: str) -> bool:
    if char < "\u0300":
        return False
    is_mark = unicodedata.category(char)[0] == "M" or char in _MARK_LETTERS
    return is_mark or char == _JOINER or _is_in(char, _MODIFIERS)


def _is_in(char: str, ranges: tuple[tuple[str, str], ...]) -> bool:
    return any(first <= char <= last for first, last in ranges)
