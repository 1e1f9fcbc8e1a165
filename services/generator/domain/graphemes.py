"""Text is told in characters as people see them: an emoji of several parts, a flag, a letter with marks."""

import re
import unicodedata
from collections.abc import Iterable
from typing import Final

from services.generator.domain.delta import Delta

# Nothing longer is a character that a person would write.
_MOST_HELD: Final = 32
_JOINER: Final = "\u200d"
# A letter behind one of these is one with the letter before: the viramas of Indic scripts, and their like.
_LINKERS: Final = frozenset(
    "\u094d\u09cd\u0acd\u0b4d\u0c4d\u0d4d\u1039\u17d2\u1a60\u1b44\u1bab\ua9c0\uaaf6"
    "\U00010a3f\U00011133\U000113d0\U0001193e\U00011a47\U00011a99\U00011f42"
)
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
# The parts of Korean syllables: first ones, vowels, last ones; and whole syllables.
_LEADING: Final = (("\u1100", "\u115f"), ("\ua960", "\ua97c"))
_VOWELS: Final = (("\u1160", "\u11a7"), ("\ud7b0", "\ud7c6"))
_TRAILING: Final = (("\u11a8", "\u11ff"), ("\ud7cb", "\ud7fb"))
_SYLLABLES: Final = (("\uac00", "\ud7a3"),)
_SYLLABLES_PER_VOWEL: Final = 28
# Scripts whose letters have marks in ordinary texts: Hebrew to Myanmar, the Philippines' and Khmer to Vedic,
# Syloti to Meetei, those of the 11th block of codes, Adlam; and the parts of Korean syllables.
_MARKED: Final = (
    ("\u0590", "\u109f"),
    ("\u1100", "\u11ff"),
    ("\u1700", "\u1cff"),
    ("\ua800", "\uaaff"),
    ("\uabc0", "\uabff"),
    ("\ud7b0", "\ud7ff"),
    ("\U00010a00", "\U00010a5f"),
    ("\U00011000", "\U00011fff"),
    ("\U0001e900", "\U0001e95f"),
)
# Of a class of characters this tells three times as fast as comparisons do.
_RANGES: Final = "".join(f"{first}-{last}" for first, last in (*_PICTURES, *_MARKED))
_GOES_ON: Final = re.compile(f"[{_RANGES}]")
# Marks that letters of Latin, Greek, Cyrillic and kana are decomposed into, those of Han, and Korean parts.
_DECOMPOSED: Final = re.compile(
    "[\u0300-\u036f\u0483-\u0489\u1160-\u11ff\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20e2\u20e4-\u20ff\u2cef-\u2cf1\u2de0-\u2dff"
    "\u302a-\u302f\u3099\u309a\ua66f-\ua67d\ufe20-\ufe2f\U000e0100-\U000e01ef]"
)
# The usual ones of them: each is looked for in a long text ten times as fast as any of a class of marks.
_USUAL_MARKS: Final = (
    "\u0300\u0301\u0302\u0303\u0304\u0306\u0307\u0308\u0309\u030a\u030b\u030c\u0313\u0314\u031b\u0323\u0326\u0327"
    "\u0328\u0331\u0342\u0345\u3099\u309a"
)
# What makes a key of a digit.
_KEYCAP: Final = "\u20e3"
_KEYS: Final = frozenset("0123456789#*")


class Graphemes:
    """Holds back the end of a delta that what comes next may be one character with.

    Letters of Latin, Greek and Cyrillic are one code point with their marks as a rule, and every token would
    wait for the next one. A text that is decomposed is so throughout: they are held from the first mark on
    that the prompt or the answer has.
    """

    def __init__(self) -> None:
        self._held: dict[int, str] = {}
        self._is_decomposed = False
        self._has_keys = False

    def expect(self, texts: Iterable[str]) -> None:
        """Takes note of what a prompt has: an answer to it has the same."""
        for text in texts:
            if not text.isascii():
                self._has_keys = self._has_keys or _KEYCAP in text
                self._is_decomposed = self._is_decomposed or any(mark in text for mark in _USUAL_MARKS)

    def hold(self, delta: Delta) -> None:
        """Moves text from the end of a delta to the next one of its choice, and none from the last one."""
        text = delta.text
        if text.isascii():
            # Most deltas are such, and the call costs a third as much again.
            is_usual = not (self._held or self._is_decomposed or self._has_keys)
            if is_usual and text[-1:] != "\r":
                return
        elif not self._is_decomposed or not self._has_keys:
            self._has_keys = self._has_keys or _KEYCAP in text
            self._is_decomposed = self._is_decomposed or _DECOMPOSED.search(text) is not None
        text = self._held.pop(delta.index, "") + text
        end = len(text) if delta.finish is not None else self._settled(text)
        if end < len(text):
            self._held[delta.index] = text[end:]
        delta.text = text[:end]

    def _settled(self, text: str) -> int:
        return _begin_of_last(text) if self._is_held(text[-1:]) else settled(text)

    def _is_held(self, last: str) -> bool:
        is_letter = self._is_decomposed and last.isalpha()
        return is_letter or last == "\r" or (self._has_keys and last in _KEYS)


def settled(text: str) -> int:
    """Returns how much of a text stays as it is, whatever ordinary text comes behind it."""
    return _begin_of_last(text) if text and _may_go_on(text) else len(text)


def _begin_of_last(text: str) -> int:
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
    return last == "\r" or _is_extending(last) or _GOES_ON.match(last) is not None


def _is_joined(text: str, index: int) -> bool:
    """Returns whether the code point there is one character with that before it."""
    before, here = text[index - 1], text[index]
    if _is_extending(here):
        return before not in "\r\n"
    if _is_flag(here) and _is_flag(before):
        return _flags_before(text, index) % 2 == 1
    if before == "\r":
        return here == "\n"
    return before == _JOINER or before in _LINKERS or _is_one_syllable(before, here)


def _is_one_syllable(before: str, here: str) -> bool:
    """Returns whether a syllable of Korean goes on."""
    if _is_in(here, _TRAILING):
        return _is_in(before, (*_VOWELS, *_TRAILING, *_SYLLABLES))
    if _is_in(here, _VOWELS):
        is_open = _is_in(before, _SYLLABLES) and (ord(before) - 0xAC00) % _SYLLABLES_PER_VOWEL == 0
        return is_open or _is_in(before, (*_LEADING, *_VOWELS))
    return _is_in(before, _LEADING) and _is_in(here, (*_LEADING, *_SYLLABLES))


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
