"""How an answer is written: its head, and its body with a length, in chunks, or until the connection ends."""

import http
import re
from collections.abc import Iterable
from typing import Final

from services.runtime.http.head import Head

_FORBIDDEN_IN_NAME: Final = re.compile(rb"[^!#$%&'*+.^_`|~0-9A-Za-z-]")
# A line end in a value would begin a field, or a second answer.
_FORBIDDEN_IN_VALUE: Final = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_WITHOUT_BODY: Final = frozenset({204, 304})
_PHRASES: Final = {status.value: status.phrase.encode("ascii") for status in http.HTTPStatus}


class AnswerWriter:
    """Frames one answer; raises ValueError where an application breaks its own promise."""

    def __init__(self, head: Head | None) -> None:
        # Without a head, nothing is known of the request: the answer is a refusal.
        self._is_newest = head is None or head.http_version == "1.1"
        self._is_head = head is not None and head.method == "HEAD"
        self.keeps_alive = head is not None and head.keeps_alive
        self._has_body = True
        self._is_chunked = False
        self._left: int | None = None

    def begin(self, status: int, fields: Iterable[tuple[bytes, bytes]], *, date: bytes) -> bytes:
        """Returns the status line and the header fields."""
        sent = [(name, value) for name, value in fields if self._notice(name, value)]
        _check(sent)
        lines = [b"HTTP/1.1 %d %b" % (status, _PHRASES.get(status, b"")), b"date: " + date]
        lines += [b"%b: %b" % field for field in sent]
        self._has_body = not self._is_head and status not in _WITHOUT_BODY
        if self._has_body and self._left is None:
            # An old client knows no chunks: the end of the connection is the end of the body.
            self._is_chunked = self._is_newest
            self.keeps_alive = self.keeps_alive and self._is_newest
        if self._is_chunked:
            lines.append(b"transfer-encoding: chunked")
        if not self.keeps_alive:
            lines.append(b"connection: close")
        elif not self._is_newest:
            lines.append(b"connection: keep-alive")
        return b"\r\n".join([*lines, b"", b""])

    def part(self, body: bytes, *, is_last: bool) -> bytes:
        """Returns a part of the body as it goes over the wire."""
        if not self._has_body:
            return b""
        if self._is_chunked:
            last = b"0\r\n\r\n" if is_last else b""
            return b"%x\r\n%b\r\n%b" % (len(body), body, last) if body else last
        if self._left is not None:
            self._left -= len(body)
            if self._left < 0 or (is_last and self._left):
                raise ValueError("the body is not as long as content-length says")
        return body

    def _notice(self, name: bytes, value: bytes) -> bool:
        # Whether the field is sent as it is; how the connection goes on is said once, at the end.
        name = name.lower()
        if name == b"connection":
            self.keeps_alive = self.keeps_alive and value.lower() != b"close"
            return False
        if name == b"content-length":
            self._left = int(value)
        return name != b"transfer-encoding"


def _check(fields: list[tuple[bytes, bytes]]) -> None:
    names, values = b"".join([name for name, _ in fields]), b"".join([value for _, value in fields])
    if _FORBIDDEN_IN_NAME.search(names) or _FORBIDDEN_IN_VALUE.search(values):
        raise ValueError("a header field of an answer is not valid")
