"""Reads what is asked for out of the bodies of requests; a long one in steps, so that nobody waits for it."""

import time
from collections.abc import Callable
from typing import Final

from msgspec import Struct

from services.edge.documents import decode_steps
from services.edge.domain.limits import EdgeLimits
from services.edge.domain.openai.ignored_fields import ignored_steps
from services.edge.server.http.exchange import Exchange, HeaderList
from services.edge.server.http.requests import content_steps, declared_length, read_body, read_key
from services.edge.server.http.watches import DisconnectWatch
from services.edge.server.known_keys import KnownKeys
from services.edge.server.places import Places
from services.edge.server.turns import Turns
from services.kernel.steps import Result, Steps, finished, in_turns

# No body of this length takes longer than two milliseconds.
SHORT_BYTES: Final = 8 * 1024
_MEBIBYTE: Final = 1024 * 1024
# What arrives or waits for its turn at once, of all keys and of one.
MAX_HELD_BYTES: Final = 256 * _MEBIBYTE
MAX_HELD_BYTES_OF_KEY: Final = 64 * _MEBIBYTE


def _nothing(_result: object) -> int:
    return 0


class Bodies:
    """The bodies of all requests of an edge.

    A long one is read for a key that the router knows, and where there is room for it: the form of a key is
    no secret. Of those that have come one is taken apart at a time, the shortest first. Once a millisecond is
    used others have as much time, and between two bodies a turn of the loop: however many come, they hold
    nobody up.
    """

    def __init__(
        self, limits: EdgeLimits, keys: KnownKeys, seconds: Callable[[], float] = time.monotonic
    ) -> None:
        self._limits = limits
        self._keys = keys
        self._seconds = seconds
        self._turns = Turns()
        self._places = Places(
            wait_seconds=limits.body_seconds,
            max_bytes=MAX_HELD_BYTES,
            max_bytes_of_key=MAX_HELD_BYTES_OF_KEY,
        )

    async def read(
        self,
        exchange: Exchange,
        parse: Callable[[object], Steps[Result]],
        body: type[Struct],
        *,
        without_effect: Callable[[Result], int] = _nothing,
    ) -> Result:
        """Returns what `parse` makes of the body's JSON value, a valid `body`; raises what it raises.

        The answer says how many fields of it had no effect, and `without_effect` what else had none.
        """
        most_bytes = self._limits.max_body_bytes
        length = declared_length(exchange, most_bytes)
        if length is not None and length <= SHORT_BYTES:
            return await self._read(exchange, parse, body, without_effect)
        key = read_key(exchange)
        await self._keys.check(key, exchange.event)
        async with self._places.place(key, most_bytes if length is None else length):
            return await self._read(exchange, parse, body, without_effect)

    async def _read(
        self,
        exchange: Exchange,
        parse: Callable[[object], Steps[Result]],
        body: type[Struct],
        without_effect: Callable[[Result], int],
    ) -> Result:
        most_bytes = self._limits.max_body_bytes
        content = await read_body(exchange, max_bytes=most_bytes, within_seconds=self._limits.body_seconds)
        steps = _all_steps(exchange, content, most_bytes, parse, body, without_effect)
        is_coded = bool(exchange.header_values(b"content-encoding"))
        if len(content) <= SHORT_BYTES and not is_coded:
            result, headers = finished(steps)
        else:
            # How long it is without its compression is not known.
            size = most_bytes if is_coded else len(content)
            # The steps hold it for as long as they need it, and this frame while others have their turn.
            del content
            # Who leaves takes the body along: what waits is bounded by the connections that are open.
            with DisconnectWatch(exchange):
                async with self._turns.turn(size):
                    result, headers = await in_turns(steps, self._seconds)
        exchange.add_headers(headers)
        return result


def _all_steps(
    exchange: Exchange,
    content: bytes,
    most_bytes: int,
    parse: Callable[[object], Steps[Result]],
    body: type[Struct],
    without_effect: Callable[[Result], int],
) -> Steps[tuple[Result, HeaderList]]:
    content = yield from content_steps(exchange, content, max_bytes=most_bytes)
    return (yield from read_steps(content, parse, body, without_effect))


def read_steps(
    content: bytes,
    parse: Callable[[object], Steps[Result]],
    body: type[Struct],
    without_effect: Callable[[Result], int] = _nothing,
) -> Steps[tuple[Result, HeaderList]]:
    """Returns what `parse` makes of a body's content, and the headers that the answer gets for it."""
    value = yield from decode_steps(content)
    yield
    result = yield from parse(value)
    yield
    return result, (yield from ignored_steps(value, body, without_effect(result)))
