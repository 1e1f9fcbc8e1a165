"""Reads what is asked for out of the bodies of requests; a long one in steps, so that nobody waits for it."""

import time
from collections.abc import Callable
from typing import Final

from msgspec import Struct

from services.edge.documents import decode_steps
from services.edge.domain.limits import EdgeLimits
from services.edge.domain.openai.ignored_fields import ignored_headers
from services.edge.server.http.exchange import Exchange, HeaderList
from services.edge.server.http.requests import read_body
from services.edge.server.http.watches import DisconnectWatch
from services.edge.server.turns import Turns
from services.kernel.steps import Result, Steps, finished, in_turns

# No body of this length takes longer than two milliseconds.
SHORT_BYTES: Final = 8 * 1024


def _nothing(_result: object) -> int:
    return 0


class Bodies:
    """The bodies of all requests of an edge.

    Of those that are long one is read at a time, the shortest first. Once a millisecond is used others have
    as much time, and between two bodies a turn of the loop: however many come, they hold nobody up.
    """

    def __init__(self, limits: EdgeLimits, seconds: Callable[[], float] = time.monotonic) -> None:
        self._limits = limits
        self._seconds = seconds
        self._turns = Turns()

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
            size = len(content)
            # The steps hold it for as long as they need it, and this frame while others have their turn.
            del content
            # Who leaves takes the body along: what waits is bounded by the connections that are open.
            with DisconnectWatch(exchange):
                async with self._turns.turn(size):
                    result, headers = await in_turns(steps, self._seconds)
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
