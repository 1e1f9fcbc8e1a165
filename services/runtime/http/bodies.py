"""Takes a request's body out of the bytes of its connection: so many bytes, or chunks until the last.

A client decides how its body is cut, so the work of one call is bounded whatever comes.
"""

import re
from typing import Final, Protocol

from services.runtime.http.bounds import Refusal, RefusedError

# Chunks that one call takes: about a millisecond of work.
CHUNKS_PER_CALL: Final = 1024
# A body of 1 MiB in chunks of 16 bytes; smaller ones cost more than they carry.
MAX_SMALL_CHUNKS: Final = 65_536
_SMALL_CHUNK_BYTES: Final = 512
# Of one request; nothing reads them.
MAX_EXTENSION_BYTES: Final = 16 * 1024
MAX_TRAILER_BYTES: Final = 8 * 1024
_SIZE_LINE: Final = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(;[^\r\n\0]*)?\r\n")
_TRAILER: Final = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+:[^\r\n\0]*\r\n")
_MAX_SIZE_LINE_BYTES: Final = 4096
_LINE_END: Final = b"\r\n"


class Body(Protocol):
    """What is left of one request's body."""

    is_complete: bool
    # True where the last call stopped for its bound, not for want of bytes.
    has_more_work: bool

    def take(self, buffer: bytearray) -> bytes:
        """Removes what it can from the front of `buffer` and gives the data in it; raises RefusedError."""
        ...


class LengthBody:
    """A body of a length that its head told."""

    has_more_work = False

    def __init__(self, length: int) -> None:
        self._left = length
        self.is_complete = length == 0

    def take(self, buffer: bytearray) -> bytes:
        """Removes what belongs to the body."""
        data = bytes(buffer[: self._left])
        del buffer[: self._left]
        self._left -= len(data)
        self.is_complete = self._left == 0
        return data


class ChunkedBody:
    """A body in chunks; extensions and trailers are bounded and dropped."""

    def __init__(self) -> None:
        self.is_complete = False
        self.has_more_work = False
        # Of the open chunk, with the line end behind its data; 0 between chunks.
        self._left = 0
        self._small_chunks = 0
        self._extension_bytes = 0
        self._trailer_bytes = 0
        self._is_in_trailers = False

    def take(self, buffer: bytearray) -> bytes:
        """Removes up to CHUNKS_PER_CALL chunks."""
        parts: list[bytearray] = []
        start = position = 0
        for _ in range(2 * CHUNKS_PER_CALL):
            start, position = position, self._step(buffer, position, parts)
            if position == start or self.is_complete:
                break
        self.has_more_work = position != start and not self.is_complete
        del buffer[:position]
        return b"".join(parts)

    def _step(self, buffer: bytearray, position: int, parts: list[bytearray]) -> int:
        # The position behind what was taken; the same one where more bytes must come first.
        if self._left:
            return self._take_data(buffer, position, parts)
        if self._is_in_trailers:
            return self._drop_trailer(buffer, position)
        return self._take_size(buffer, position)

    def _take_size(self, buffer: bytearray, position: int) -> int:
        line = _SIZE_LINE.match(buffer, position, position + _MAX_SIZE_LINE_BYTES)
        if line is None:
            _await_line(buffer, position, _MAX_SIZE_LINE_BYTES)
            return position
        self._extension_bytes += len(line[2] or b"")
        if self._extension_bytes > MAX_EXTENSION_BYTES:
            raise RefusedError(Refusal.HEAD_TOO_LARGE)
        size = int(line[1], 16)
        if size == 0:
            self._is_in_trailers = True
            return line.end()
        self._small_chunks += size < _SMALL_CHUNK_BYTES
        if self._small_chunks > MAX_SMALL_CHUNKS:
            raise RefusedError(Refusal.BODY_WASTEFUL)
        self._left = size + len(_LINE_END)
        return line.end()

    def _take_data(self, buffer: bytearray, position: int, parts: list[bytearray]) -> int:
        end = position + self._left
        if end <= len(buffer):
            if buffer[end - 2 : end] != _LINE_END:
                raise RefusedError(Refusal.MALFORMED)
            parts.append(buffer[position : end - 2])
            self._left = 0
            return end
        end = min(len(buffer), end - 2)
        if end > position:
            parts.append(buffer[position:end])
            self._left -= end - position
        return max(position, end)

    def _drop_trailer(self, buffer: bytearray, position: int) -> int:
        if buffer[position : position + 2] == _LINE_END:
            self.is_complete = True
            return position + 2
        line = _TRAILER.match(buffer, position, position + MAX_TRAILER_BYTES)
        if line is None:
            _await_line(buffer, position, MAX_TRAILER_BYTES - self._trailer_bytes)
            return position
        self._trailer_bytes += line.end() - position
        if self._trailer_bytes > MAX_TRAILER_BYTES:
            raise RefusedError(Refusal.HEAD_TOO_LARGE)
        return line.end()


def _await_line(buffer: bytearray, position: int, max_bytes: int) -> None:
    # No line of the right form: it may still come, unless its end or too much of it is there.
    if buffer.find(b"\n", position, position + max_bytes) >= 0:
        raise RefusedError(Refusal.MALFORMED)
    if len(buffer) - position > max_bytes:
        raise RefusedError(Refusal.HEAD_TOO_LARGE)
