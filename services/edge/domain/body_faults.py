"""What is wrong with a body before it is a JSON value, and where: by offset and index, never by content."""

import re
from collections.abc import Callable
from enum import Enum
from itertools import takewhile
from typing import Any, Final

from services.kernel.errors import ComptoirError, Reason
from services.kernel.steps import Steps, finished

UTF8_MARK: Final = b"\xef\xbb\xbf"
# Byte order marks of UTF-16 and UTF-32, and what any JSON begins with in these without one.
_WIDE: Final = re.compile(rb"\xff\xfe|\xfe\xff|\x00|[\t\n\r -~]\x00")
# A document up to its first escape of half a surrogate pair, or to one of the next thousands of its escapes,
# which takes a millisecond. A pair of halves is a character.
_WHOLE: Final = re.compile(
    rb"(?:[^\\]++|\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|u(?![dD][89a-fA-F])|[^u]))"
    rb"{1,16384}+"
)
_HALF: Final = re.compile(rb"\\u[dD][89a-fA-F][0-9a-fA-F]{2}")
# No public name is deeper: messages[3].content.
_MAX_SEGMENTS: Final = 4


class BodyFault(Enum):
    """A fault, and the sentence that says it."""

    EMPTY = "The body is empty. Send one JSON object in UTF-8."
    WIDE = "The body is in UTF-16 or UTF-32. JSON is sent in UTF-8."
    NOT_UTF8 = "The body is not UTF-8: at byte {position} no character of it begins."
    NOT_JSON = "The body is not JSON: it breaks at byte {position}. Send one JSON object in UTF-8."
    HALF_PAIR = (
        "Invalid {what}: half of a surrogate pair, an escape from \\ud800 to \\udfff without its other half, "
        "at byte {position} of the body. Remove it, or send both halves."
    )
    TOO_MANY_VALUES = "The body has more values than 20000. Put long lists into fewer, longer texts."
    TOO_DEEP = "The body is nested deeper than 64."
    REPEATED_KEY = "A key stands twice in one object of the body. Send each key once."


class BodyError(ComptoirError):
    """REQUEST_INVALID with what is wrong; `position` is a byte of the body, from 0."""

    def __init__(self, fault: BodyFault, *, position: int = 0, field: str = "") -> None:
        super().__init__(Reason.REQUEST_INVALID, field=field)
        self.fault = fault
        self.position = position

    def sentence(self, name: str | None) -> str:
        """Returns the fault in words, with `name`, a public name, as the text that it stands in."""
        return self.fault.value.format(position=self.position, what=f"'{name}'" if name else "text")


def encoding_fault(document: bytes) -> BodyError | None:
    """Returns the fault of a document that is empty or no UTF-8, if it has one."""
    if not document.strip():
        return BodyError(BodyFault.EMPTY)
    if _WIDE.match(document):
        return BodyError(BodyFault.WIDE)
    try:
        document.decode()
    except UnicodeDecodeError as error:
        return BodyError(BodyFault.NOT_UTF8, position=error.start)
    return None


def half_pair_at(document: bytes) -> int | None:
    """Returns what `half_pair_steps` does, at once."""
    return finished(half_pair_steps(document))


def half_pair_steps(document: bytes) -> Steps[int | None]:
    """Returns where the first escape of half a surrogate pair stands; None where there is none."""
    position = 0
    while found := _WHOLE.match(document, position):
        position = found.end()
        yield
    return position if _HALF.match(document, position) else None


def with_mark(document: bytes, position: int, mark: bytes) -> bytes:
    """Returns the document with `mark` for the half at `position`, and other characters for later halves."""
    behind = document[position + len(rb"\ud800") :]
    # Whole pairs become others too, which nobody reads: only where the mark stands is looked for.
    return document[:position] + mark + behind.replace(rb"\ud", rb"\u1").replace(rb"\uD", rb"\u1")


def path_to(mark: str, value: Any, is_public: Callable[[str], bool]) -> str:  # a JSON value of any type
    """Returns the longest public name on the way to the text that holds `mark`; empty where none is."""
    segments = list(takewhile(_is_plain, _segments_to(value, mark)[:_MAX_SEGMENTS]))
    for count in range(len(segments), 0, -1):
        path = _spelt(segments[:count])
        if is_public(path):
            return path
    return ""


def _segments_to(value: Any, mark: str) -> list[str | int]:
    """Keys and indices from the root to the text, without recursion: nobody has bounded the depth yet."""
    waiting: list[tuple[Any, Any]] = [(value, None)]
    while waiting:
        current, way = waiting.pop()
        if isinstance(current, str) and mark in current:
            segments: list[str | int] = []
            while way is not None:
                way, segment = way
                segments.append(segment)
            return segments[::-1]
        if isinstance(current, dict):
            waiting += [(inner, (way, key)) for key, inner in current.items()]
        elif isinstance(current, list):
            waiting += [(inner, (way, index)) for index, inner in enumerate(current)]
    return []


def _is_plain(segment: str | int) -> bool:
    # A key that looks like several segments is the caller's own word, with a number of its own choice in it.
    return isinstance(segment, int) or not ("." in segment or "[" in segment)


def _spelt(segments: list[str | int]) -> str:
    parts = [f"[{segment}]" if isinstance(segment, int) else f".{segment}" for segment in segments]
    return "".join(parts).removeprefix(".")
