"""Bounds that a request meets before anything reads it."""

from typing import Any, Final

from services.edge.domain.body_faults import BodyError, BodyFault
from services.kernel.steps import Steps, finished

MAX_DEPTH: Final = 64
MAX_VALUES: Final = 20_000
# Those of a key and of a text for each value, and one value more than commas and brackets show.
_MAX_QUOTES: Final = 4 * (MAX_VALUES + 1)
# About a millisecond.
_CONTAINERS_PER_STEP: Final = 2048
_BYTES_PER_STEP: Final = 256 * 1024


def outside_strings(document: bytes) -> bytes:
    """Returns what `outside_steps` does, at once."""
    return finished(outside_steps(document))


def outside_steps(document: bytes) -> Steps[bytes]:
    """Returns what stands outside the strings of a document; refuses more strings than it may have values.

    An escape begins with a backslash, and a run of backslashes begins with an escape, so removing
    pairs from the left, then escaped quotes, leaves only the quotes that open and close strings.
    """
    unescaped = yield from _unescaped_steps(document)
    pieces = unescaped.split(b'"')
    yield
    return b"".join(pieces[::2])


def _unescaped_steps(document: bytes) -> Steps[bytes]:
    """Returns a document without its escapes of backslashes and of quotes; refuses too many quotes."""
    pieces: list[bytes] = []
    begun, quotes = b"", 0
    for start in range(0, len(document), _BYTES_PER_STEP):
        piece = (begun + document[start : start + _BYTES_PER_STEP]).replace(rb"\\", b"")
        # What an escape begins with at the end of a piece is not known before the next.
        begun = b"\\" if piece.endswith(b"\\") else b""
        piece = piece.removesuffix(begun).replace(rb"\"", b"")
        # Before the document is taken apart at its quotes: a million of them would be a million pieces.
        quotes += piece.count(b'"')
        if quotes > _MAX_QUOTES:
            raise BodyError(BodyFault.TOO_MANY_VALUES)
        pieces.append(piece)
        yield
    return b"".join([*pieces, begun])


def check_count(outside: bytes) -> None:
    """Refuses a document with more than MAX_VALUES values, by its commas and brackets alone."""
    if values_in(outside) > MAX_VALUES:
        raise BodyError(BodyFault.TOO_MANY_VALUES)


def values_in(outside: bytes) -> int:
    """Returns how many values a document has, but for one, by what stands outside its strings."""
    return outside.count(b",") + outside.count(b"[") + outside.count(b"{")


def check_shape(value: object, outside: bytes) -> None:
    """Refuses as `shape_steps`, at once."""
    finished(shape_steps(value, outside))


def shape_steps(value: object, outside: bytes) -> Steps[None]:
    """Refuses nesting deeper than MAX_DEPTH, and keys that stand twice in one object.

    A decoder keeps the last of two equal keys silently, and another reader the first. Outside
    strings a colon stands behind a key and nowhere else, so a missing key shows in their number.
    """
    keys = 0
    level: list[Any] = [value] if isinstance(value, (dict, list)) else []
    depth = containers = 0
    while level:
        depth += 1
        if depth > MAX_DEPTH:
            raise BodyError(BodyFault.TOO_DEEP)
        below: list[Any] = []
        for container in level:
            containers += 1
            if containers % _CONTAINERS_PER_STEP == 0:
                yield
            items = container
            if isinstance(container, dict):
                keys += len(container)
                items = list(container.values())
            below += [item for item in items if isinstance(item, (dict, list))]
        level = below
    if keys != outside.count(b":"):
        raise BodyError(BodyFault.REPEATED_KEY)
