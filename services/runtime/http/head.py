"""Request line and header fields of one request; llhttp checks them, this module decides what they mean.

llhttp is fed a head and nothing behind it. So what it would make of a body, of an offer to upgrade, of
trailers or of the next request does not matter.
"""

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote_to_bytes

import httptools

from services.runtime.http.bounds import Refusal, RefusedError

_REQUEST_LINE: Final = re.compile(rb"([A-Z]{1,24}) ([!-~]+) HTTP/([0-9])\.([0-9])\r\n")
_MAX_LENGTH_DIGITS: Final = 15
_END: Final = b"\n\r\n"
_BARE_END: Final = b"\n\n"
# The fields that say where a request ends and how its connection goes on.
_FRAMING: Final = frozenset({b"connection", b"content-length", b"expect", b"host", b"transfer-encoding"})


@dataclass(slots=True)
class Head:
    """One request before its body; names of fields are in lower case."""

    method: str
    path: str
    raw_path: bytes
    query: bytes
    http_version: str
    fields: list[tuple[bytes, bytes]]
    keeps_alive: bool
    expects_continue: bool
    # None where the body comes in chunks.
    content_length: int | None


def end_of_head(buffer: bytearray, start: int, stop: int) -> int:
    """Returns where the head at the front of `buffer` ends, or 0 where none ends from `start` to `stop`.

    A bare line feed ends a head too: the parser refuses it then.
    """
    start = max(0, start - len(_END))
    end = buffer.find(_END, start, stop)
    # Its line feed may be the first of the other end too.
    bare = buffer.find(_BARE_END, start, stop if end < 0 else end + 1)
    if bare >= 0:
        return bare + len(_BARE_END)
    return 0 if end < 0 else end + len(_END)


def parse_head(head: bytes, *, max_fields: int) -> Head:
    """Returns the request of a whole head; raises RefusedError."""
    line = _REQUEST_LINE.match(head)
    if line is None:
        raise RefusedError(Refusal.MALFORMED)
    if line[3] != b"1":
        raise RefusedError(Refusal.VERSION_UNSUPPORTED)
    fields = _read_fields(head, max_fields)
    try:
        url = httptools.parse_url(line[2])
    except httptools.HttpParserInvalidURLError:
        raise RefusedError(Refusal.MALFORMED) from None
    raw_path = url.path or b"/"
    path = unquote_to_bytes(raw_path) if b"%" in raw_path else raw_path
    is_newest = line[4] != b"0"
    return Head(
        method=line[1].decode("ascii"),
        path=path.decode("utf-8", "replace"),
        raw_path=raw_path,
        query=url.query or b"",
        http_version="1.1" if is_newest else "1.0",
        fields=fields.list,
        keeps_alive=_keeps_alive(fields.framing, is_newest=is_newest),
        expects_continue=is_newest and fields.framing.get(b"expect") == [b"100-continue"],
        content_length=_content_length(fields.framing, is_newest=is_newest),
    )


class _Fields:
    """Takes what llhttp finds in a head."""

    def __init__(self, max_fields: int) -> None:
        self._max_fields = max_fields
        self.list: list[tuple[bytes, bytes]] = []
        self.framing: dict[bytes, list[bytes]] = {}
        self.is_complete = False

    def on_header(self, name: bytes, value: bytes) -> None:
        """Takes one field; an exception here ends the parsing."""
        name, value = name.lower(), value.rstrip(b" \t")
        self.list.append((name, value))
        if name in _FRAMING:
            self.framing.setdefault(name, []).append(value.lower())
        if len(self.list) > self._max_fields:
            raise RefusedError(Refusal.HEAD_TOO_LARGE)

    def on_headers_complete(self) -> None:
        """Notes that the head is whole."""
        self.is_complete = True


def _read_fields(head: bytes, max_fields: int) -> _Fields:
    fields = _Fields(max_fields)
    try:
        httptools.HttpRequestParser(fields).feed_data(head)
    except httptools.HttpParserUpgrade:
        # Raised behind a head that offers an upgrade. The offer is not taken, so it means nothing.
        pass
    except httptools.HttpParserError:
        too_many = len(fields.list) > max_fields
        raise RefusedError(Refusal.HEAD_TOO_LARGE if too_many else Refusal.MALFORMED) from None
    if not fields.is_complete:
        raise RefusedError(Refusal.MALFORMED)
    return fields


def _keeps_alive(framing: dict[bytes, list[bytes]], *, is_newest: bool) -> bool:
    if b"connection" not in framing:
        return is_newest
    tokens = [token.strip() for token in b",".join(framing[b"connection"]).split(b",")]
    return b"close" not in tokens if is_newest else b"keep-alive" in tokens


def _content_length(framing: dict[bytes, list[bytes]], *, is_newest: bool) -> int | None:
    """Returns how long the body is, or None for chunks.

    Two servers in a row that read one request's end differently let a client hide a request in the
    body of another: what leaves any doubt is refused.
    """
    lengths = framing.get(b"content-length", [])
    codings = framing.get(b"transfer-encoding", [])
    if len(framing.get(b"host", [])) > 1 or len(lengths) > 1:
        raise RefusedError(Refusal.MALFORMED)
    if codings:
        if codings != [b"chunked"] or lengths or not is_newest:
            raise RefusedError(Refusal.MALFORMED)
        return None
    if not lengths:
        return 0
    if not lengths[0].isdigit() or len(lengths[0]) > _MAX_LENGTH_DIGITS:
        raise RefusedError(Refusal.MALFORMED)
    return int(lengths[0])
