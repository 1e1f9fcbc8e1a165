"""Server-sent events out of bytes, wherever the network cut them."""

from collections.abc import Iterator
from typing import Final

# A chunk with token ids of a long prompt has a line of its length; nothing that is asked for is longer.
MOST_LINE_BYTES: Final = 16 * 1024 * 1024
_DATA: Final = b"data:"
_ERROR: Final = b"error:"


class LineTooLongError(Exception):
    """A line is longer than anything that was asked for."""


class EventReader:
    """Cuts a stream into the data of its events, which stand on one line each; comments are skipped.

    llama.cpp names an error where its data begins.
    """

    def __init__(self, most_line_bytes: int = MOST_LINE_BYTES) -> None:
        self._most_line_bytes = most_line_bytes
        self._held: list[bytes] = []
        self._held_bytes = 0

    def read(self, piece: bytes) -> Iterator[bytes]:
        """Yields the data of each event that is whole now; raises LineTooLongError."""
        lines = piece.split(b"\n")
        for line in lines[:-1]:
            self._hold(line)
            whole = b"".join(self._held) if len(self._held) > 1 else self._held[0]
            self._held.clear()
            self._held_bytes = 0
            if whole.startswith((_DATA, _ERROR)):
                yield whole.partition(b":")[2].strip()
        if lines[-1]:
            self._hold(lines[-1])

    def _hold(self, line: bytes) -> None:
        self._held_bytes += len(line)
        if self._held_bytes > self._most_line_bytes:
            raise LineTooLongError
        self._held.append(line)
