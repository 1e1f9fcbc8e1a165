"""Reads what is asked for out of the bodies of requests; a long one in steps, so that nobody waits for it."""

import asyncio
from collections.abc import Callable
from typing import Final

from msgspec import Struct

from services.edge.documents import decode_steps
from services.edge.domain.limits import EdgeLimits
from services.edge.domain.openai.ignored_fields import ignored_headers
from services.edge.server.http.exchange import Exchange, HeaderList
from services.edge.server.http.requests import read_body
from services.edge.server.http.watches import DisconnectWatch
from services.kernel.steps import Result, Steps, finished, in_turns

# No body of this length takes longer than two milliseconds.
SHORT_BYTES: Final = 8 * 1024


def _nothing(_result: object) -> int:
    return 0


class Bodies:
    """The bodies of all requests of an edge.

    Of those that are long one is read at a time, and after each step others have as much time as it took:
    however many come, the loop is theirs for half of the time at most.
    """

    def __init__(self, limits: EdgeLimits) -> None:
        self._limits = limits
        self._turn = asyncio.Lock()

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
        content = await read_body(
            exchange, max_bytes=self._limits.max_body_bytes, within_seconds=self._limits.body_seconds
        )
        steps = read_steps(content, parse, body, without_effect)
        if len(content) <= SHORT_BYTES:
            result, headers = finished(steps)
        else:
            # The steps hold it for as long as they need it, and this frame while others have their turn.
            del content
            # Who leaves takes the body along: what waits is bounded by the connections that are open.
            with DisconnectWatch(exchange):
                async with self._turn:
                    result, headers = await in_turns(steps)
        exchange.add_headers(headers)
        return result


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
    return result, ignored_headers(value, body, without_effect(result))
