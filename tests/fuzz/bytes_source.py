"""Reads values out of fuzzed bytes, so that whatever bytes come are a case; where they end, all is zero."""

import struct


class BytesSource:
    """Bytes that are used up from the front."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._position = 0

    @property
    def is_empty(self) -> bool:
        """Whether all bytes are used up."""
        return self._position >= len(self._data)

    def take(self, size: int) -> bytes:
        """Returns the next bytes, fewer at the end."""
        taken = self._data[self._position : self._position + size]
        self._position += size
        return taken

    def rest(self) -> bytes:
        """Returns all that is left."""
        return self.take(len(self._data))

    def number(self, below: int) -> int:
        """Returns a whole number from 0, of up to 16 bits."""
        return int.from_bytes(self.take(2), "little") % below

    def float32(self, *, low: float, high: float) -> float:
        """Returns a number as a `float` of protobuf carries it, within a range."""
        value: float
        (value,) = struct.unpack("<f", self.take(4).ljust(4, b"\0"))
        # Comparisons with NaN are false, so that it becomes an end of the range.
        return min(max(low, value), high)

    def text(self, most_bytes: int) -> str:
        """Returns a text of any characters that UTF-8 can carry."""
        return self.take(self.number(most_bytes + 1)).decode("utf-8", "replace")
