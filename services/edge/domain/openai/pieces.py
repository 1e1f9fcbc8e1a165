"""What is held of an answer until it is whole: the bytes that will be sent, in few large parts."""

from collections.abc import Iterable, Iterator
from typing import Final

# A part is closed behind this many: an object per token would be several times the token's own bytes.
_PART_BYTES: Final = 64 * 1024


class Pieces:
    """Pieces of JSON that came one after the other, with `between` between two of them."""

    __slots__ = ("_between", "_parts")

    def __init__(self, between: bytes = b"") -> None:
        self._between = between
        self._parts: list[bytearray] = []

    def __bool__(self) -> bool:
        return bool(self._parts)

    def add(self, piece: str) -> int:
        """Takes the next piece, and returns how many bytes more are held."""
        data = piece.encode()
        if not data:
            return 0
        if not self._parts:
            self._parts.append(bytearray(data))
            return len(data)
        if len(self._parts[-1]) >= _PART_BYTES:
            self._parts.append(bytearray())
        last = self._parts[-1]
        last += self._between
        last += data
        return len(self._between) + len(data)

    def parts(self) -> Iterator[bytearray]:
        """Yields all of it."""
        yield from self._parts


def joined(pieces: Iterable[bytes | bytearray]) -> Iterator[bytes]:
    """Yields `pieces` in parts of which each but the last is large, for one write each."""
    held = bytearray()
    for piece in pieces:
        held += piece
        if len(held) >= _PART_BYTES:
            yield bytes(held)
            held.clear()
    if held:
        yield bytes(held)
