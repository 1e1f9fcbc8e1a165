"""Server-sent events out of bytes that come cut anywhere: the data of each event, as WHATWG's HTML says."""

from typing import Final

DONE: Final = b"[DONE]"
# An event of a model that sends all of its logarithms; what is longer is no stream of an answer.
_MOST_BYTES: Final = 16 * 2**20


class EventTooLong(ValueError):  # noqa: N818 - it is what happened
    """A server sent that much without an end of a line."""


class EventReader:
    """Keeps what is not whole yet. Lines end in LF, CRLF or CR; comments and other fields are skipped."""

    def __init__(self) -> None:
        self._rest = b""
        self._data: list[bytes] = []
        self._is_after_cr = False

    def take(self, received: bytes) -> list[bytes]:
        """Returns the data of every event that these bytes complete."""
        if self._is_after_cr and received.startswith(b"\n"):
            received = received[1:]
        self._is_after_cr = received.endswith(b"\r")
        *lines, self._rest = _lines(self._rest + received)
        if len(self._rest) > _MOST_BYTES:
            raise EventTooLong
        return [data for line in lines if (data := self._line(line)) is not None]

    def _line(self, line: bytes) -> bytes | None:
        """Returns the data of the event that an empty line ends."""
        if not line:
            data, self._data = self._data, []
            return b"\n".join(data) if data else None
        name, _, value = line.partition(b":")
        if name == b"data":
            self._data.append(value.removeprefix(b" "))
        return None


def _lines(received: bytes) -> list[bytes]:
    if b"\r" in received:
        received = received.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return received.split(b"\n")
