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
        # The beginning of a line, however many pieces it came in.
        self._held = bytearray()

    def read(self, piece: bytes) -> Iterator[bytes]:
        """Yields the data of each event that is whole now; raises LineTooLongError."""
        lines = piece.split(b"\n")
        for line in lines[:-1]:
            self._check(len(line))
            whole = bytes(self._held + line) if self._held else line
            self._held.clear()
            if whole.startswith((_DATA, _ERROR)):
                yield whole.partition(b":")[2].strip()
        self._check(len(lines[-1]))
        self._held += lines[-1]

    def _check(self, more_bytes: int) -> None:
        if len(self._held) + more_bytes > self._most_line_bytes:
            raise LineTooLongError
