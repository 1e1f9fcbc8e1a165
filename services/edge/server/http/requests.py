"""Reads what a client sent within bounds: the key, then the body."""

import asyncio
from typing import Final

from services.edge.domain.codings import (
    SERVED_CODINGS,
    CodingBrokenError,
    CodingUnsupportedError,
    decoded_steps,
)
from services.edge.domain.generation import Priority
from services.edge.domain.openai.errors import CODING_BROKEN, CODING_UNSUPPORTED, body_too_slow
from services.edge.domain.openai.priority import PRIORITY_HEADER, priority_for
from services.edge.server.http.exchange import ClientDisconnectedError, Exchange, HttpRefusalError
from services.kernel.api_keys import region_of
from services.kernel.errors import ComptoirError, Numbers, Reason
from services.kernel.steps import Steps

_MAX_LENGTH_DIGITS: Final = 12
_SCHEME: Final = b"bearer "
_SERVED: Final = ((b"accept-encoding", SERVED_CODINGS.encode()),)
_TOO_SLOW: Final = ((b"connection", b"close"), (b"x-should-retry", b"false"))


def declared_length(exchange: Exchange, max_bytes: int) -> int | None:
    """Returns how long a body says that it is; None where it does not, or is compressed.

    Raises REQUEST_TOO_LARGE above `max_bytes`.
    """
    lengths = exchange.header_values(b"content-length")
    for length in lengths:
        # The HTTP parser has checked that these are digits.
        if len(length) > _MAX_LENGTH_DIGITS or int(length) > max_bytes:
            raise ComptoirError(Reason.REQUEST_TOO_LARGE, numbers=Numbers(limit=max_bytes))
    if exchange.header_values(b"content-encoding"):
        return None
    if lengths:
        return int(lengths[0])
    return None if exchange.header_values(b"transfer-encoding") else 0


async def read_body(exchange: Exchange, *, max_bytes: int, within_seconds: float) -> bytes:
    """Returns the whole body as it comes; REQUEST_TOO_LARGE at the first byte over `max_bytes`."""
    parts: list[bytes] = []
    try:
        async with asyncio.timeout(within_seconds):
            await _read_parts(exchange, parts, max_bytes)
    except TimeoutError:
        public = body_too_slow(within_seconds)
        raise HttpRefusalError(public, Reason.REQUEST_INVALID, _TOO_SLOW) from None
    return b"".join(parts)


def content_steps(exchange: Exchange, body: bytes, *, max_bytes: int) -> Steps[bytes]:
    """Returns a body without its compression; REQUEST_TOO_LARGE at the first byte over `max_bytes`."""
    try:
        codings = exchange.header_values(b"content-encoding")
        return (yield from decoded_steps(body, codings, max_bytes=max_bytes))
    except CodingUnsupportedError:
        raise HttpRefusalError(CODING_UNSUPPORTED, Reason.REQUEST_INVALID, _SERVED) from None
    except CodingBrokenError:
        raise HttpRefusalError(CODING_BROKEN, Reason.REQUEST_INVALID) from None


def read_key(exchange: Exchange) -> str:
    """Returns the API key of the one `Authorization: Bearer` header; raises KEY_INVALID for anything else.

    Whether the router knows it costs a call. Its form and its checksum cost nothing, and keep those who
    have no key from making the edge read bodies. WRONG_REGION for one that another region answers.
    """
    values = exchange.header_values(b"authorization")
    if len(values) != 1 or values[0][: len(_SCHEME)].lower() != _SCHEME:
        raise ComptoirError(Reason.KEY_INVALID)
    key = values[0][len(_SCHEME) :].strip().decode("ascii", "replace")
    key_region = region_of(key)
    if key_region is None:
        raise ComptoirError(Reason.KEY_INVALID)
    if exchange.key_regions is not None:
        exchange.key_regions.check(key_region)
    return key


def read_priority(exchange: Exchange, service_tier: str | None) -> Priority:
    """Returns the scheduling class that headers and tier ask for; raises REQUEST_INVALID for none of them."""
    return priority_for(exchange.header_values(PRIORITY_HEADER.encode()), service_tier)


async def _read_parts(exchange: Exchange, parts: list[bytes], max_bytes: int) -> None:
    has_more = True
    while has_more:
        message = await exchange.receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnectedError
        exchange.event.request_bytes += len(message["body"])
        if exchange.event.request_bytes > max_bytes:
            raise ComptoirError(Reason.REQUEST_TOO_LARGE, numbers=Numbers(limit=max_bytes))
        parts.append(message["body"])
        has_more = message["more_body"]
