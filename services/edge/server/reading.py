"""Reads what a client sent within bounds: the key and the body."""

import asyncio

from services.edge.domain.errors import BODY_TOO_SLOW
from services.edge.server.exchange import ClientGoneError, Exchange, HttpRefusalError
from services.runtime.errors import ComptoirError, Numbers, Reason

_MAX_KEY_CHARACTERS = 256
_MAX_LENGTH_DIGITS = 12
_SCHEME = b"bearer "
_TOO_SLOW = ((b"connection", b"close"), (b"x-should-retry", b"false"))


async def read_body(exchange: Exchange, *, max_bytes: int, within_seconds: float) -> bytes:
    """The whole body; REQUEST_TOO_LARGE at the first byte over `max_bytes`, none of which is kept."""
    for length in exchange.header_values(b"content-length"):
        # The HTTP parser has checked that these are digits.
        if len(length) > _MAX_LENGTH_DIGITS or int(length) > max_bytes:
            raise ComptoirError(Reason.REQUEST_TOO_LARGE, numbers=Numbers(limit=max_bytes))
    parts: list[bytes] = []
    try:
        async with asyncio.timeout(within_seconds):
            await _read_parts(exchange, parts, max_bytes)
    except TimeoutError:
        raise HttpRefusalError(BODY_TOO_SLOW, Reason.REQUEST_INVALID, _TOO_SLOW) from None
    return b"".join(parts)


def read_key(exchange: Exchange) -> str:
    """The API key of the one `Authorization: Bearer` header; raises KEY_INVALID for anything else."""
    values = exchange.header_values(b"authorization")
    if len(values) != 1 or values[0][: len(_SCHEME)].lower() != _SCHEME:
        raise ComptoirError(Reason.KEY_INVALID)
    key = values[0][len(_SCHEME) :].strip()
    if not 1 <= len(key) <= _MAX_KEY_CHARACTERS or not key.isascii():
        raise ComptoirError(Reason.KEY_INVALID)
    return key.decode("ascii")


async def _read_parts(exchange: Exchange, parts: list[bytes], max_bytes: int) -> None:
    has_more = True
    while has_more:
        message = await exchange.receive()
        if message["type"] == "http.disconnect":
            raise ClientGoneError
        exchange.event.request_bytes += len(message["body"])
        if exchange.event.request_bytes > max_bytes:
            raise ComptoirError(Reason.REQUEST_TOO_LARGE, numbers=Numbers(limit=max_bytes))
        parts.append(message["body"])
        has_more = message["more_body"]
