"""How many bytes of large answers an edge holds at once, and how these are sent."""

import asyncio
from collections.abc import Iterator
from typing import Final

from services.edge.server.http.exchange import JSON_TYPE, Exchange, HeaderList
from services.edge.server.places import Places

_MEBIBYTE: Final = 1024 * 1024
# What is asked for at once and not read yet, of all keys and of one. None of these answers is larger than the
# 16 MiB of the vectors of one call.
MAX_HELD_BYTES: Final = 256 * _MEBIBYTE
MAX_HELD_BYTES_OF_KEY: Final = 64 * _MEBIBYTE
# An answer up to this size is sent whole, with its length.
_WHOLE_BYTES: Final = 64 * 1024


class LargeAnswers(Places):
    """The answers that an edge holds in memory until their clients have read them.

    A replica settles the lease of such an answer as soon as it has made it, so the quota of the key does not
    bound how many of them wait to be read. A request that finds no place waits before it is admitted.
    """

    def __init__(
        self,
        *,
        wait_seconds: float,
        max_bytes: int = MAX_HELD_BYTES,
        max_bytes_of_key: int = MAX_HELD_BYTES_OF_KEY,
    ) -> None:
        super().__init__(wait_seconds=wait_seconds, max_bytes=max_bytes, max_bytes_of_key=max_bytes_of_key)


async def send_parts(exchange: Exchange, parts: Iterator[bytes], headers: HeaderList) -> None:
    """Sends a JSON answer as it is written: with its length where it is small, in chunks otherwise.

    Of a large one no more is written than its client reads, and others have their turn behind each part.
    """
    held = bytearray()
    for part in parts:
        held += part
        if len(held) > _WHOLE_BYTES:
            if not exchange.is_started:
                await exchange.begin(200, [JSON_TYPE, *headers])
            await exchange.write(bytes(held))
            held.clear()
        await asyncio.sleep(0)
    if exchange.is_started:
        await exchange.end(bytes(held))
    else:
        await exchange.answer(200, bytes(held), headers)
