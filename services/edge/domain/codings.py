"""Undoes the compression of a body within the bound that holds for every body."""

import zlib
from typing import Final

from services.kernel.errors import ComptoirError, Numbers, Reason
from services.kernel.steps import Steps, finished

# What an answer that refuses a coding names.
SERVED_CODINGS: Final = "gzip, deflate, identity"
_GZIP_WINDOW: Final = 16 + zlib.MAX_WBITS
_ZLIB_METHOD: Final = 8
# What a step takes in and gives out at most: about half a millisecond, also of blocks with nothing in them.
_TAKEN_PER_STEP: Final = 128 * 1024
_GIVEN_PER_STEP: Final = 256 * 1024


class CodingUnsupportedError(Exception):
    """The body has a compression that is not undone here."""


class CodingBrokenError(Exception):
    """The body is not what its header says."""


def decode(body: bytes, codings: list[bytes], *, max_bytes: int) -> bytes:
    """Returns what `decoded_steps` does, at once."""
    return finished(decoded_steps(body, codings, max_bytes=max_bytes))


def decoded_steps(body: bytes, codings: list[bytes], *, max_bytes: int) -> Steps[bytes]:
    """Returns the body without its compression, for the values of its `Content-Encoding` headers.

    Raises CodingUnsupportedError, CodingBrokenError, or REQUEST_TOO_LARGE at the first byte over
    `max_bytes`: what a small body would become is never made.
    """
    names = [name.strip().lower() for value in codings for name in value.split(b",") if name.strip()]
    names = [name for name in names if name != b"identity"]
    if not names:
        return body
    # One coding and one stream of it: each has a cost of its own, whatever comes out.
    if len(names) > 1 or names[0] not in (b"gzip", b"x-gzip", b"deflate"):
        raise CodingUnsupportedError
    window = _GZIP_WINDOW if names[0] != b"deflate" else _deflate_window(body)
    return (yield from _inflated_steps(body, window, max_bytes))


def _inflated_steps(body: bytes, window: int, max_bytes: int) -> Steps[bytes]:
    inflater = zlib.decompressobj(window)
    parts: list[bytes] = []
    decoded_bytes = taken = 0
    left = b""
    # Behind the last byte that goes in, more may come out.
    while not inflater.eof and (left or taken < len(body) or (parts and len(parts[-1]) == _GIVEN_PER_STEP)):
        if not left:
            left = body[taken : taken + _TAKEN_PER_STEP]
            taken += len(left)
        try:
            parts.append(inflater.decompress(left, _GIVEN_PER_STEP))
        except zlib.error:
            raise CodingBrokenError from None
        left = inflater.unconsumed_tail
        decoded_bytes += len(parts[-1])
        if decoded_bytes > max_bytes:
            raise ComptoirError(Reason.REQUEST_TOO_LARGE, numbers=Numbers(limit=max_bytes))
        yield
    if not inflater.eof or inflater.unused_data or taken < len(body):
        raise CodingBrokenError
    return b"".join(parts)


def _deflate_window(body: bytes) -> int:
    # The name means zlib's format; some clients send the bare stream that is inside it.
    is_zlib = len(body) > 1 and body[0] & 15 == _ZLIB_METHOD and int.from_bytes(body[:2]) % 31 == 0
    return zlib.MAX_WBITS if is_zlib else -zlib.MAX_WBITS
