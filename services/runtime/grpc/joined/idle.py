"""Streams without a call: each may stay so for a while, and only so many at once."""

import asyncio
from typing import Final, Protocol

# A stream needs no key, only its calls do: without bounds, streams that say nothing would fill a server. Who
# has one ended opens another with its next call.
_IDLE_SECONDS: Final = 300.0
_MOST_IDLE: Final = 256
_PATIENCE_SECONDS: Final = 1.0


class Endable(Protocol):
    """A stream that can be told to end."""

    def end(self) -> None:
        """Ends it."""
        ...


class IdleStreams:
    """Gives the newest their places: where too many are idle, the one that has been for longest ends.

    One timer for all: a stream that becomes idle and busy again with every call costs no timer of its own.
    """

    def __init__(self) -> None:
        # Since when each is idle; the one that has been for longest comes first.
        self._since: dict[Endable, float] = {}
        self._timer: asyncio.TimerHandle | None = None

    def add(self, stream: Endable) -> None:
        """Notes that a stream has no call."""
        self._since[stream] = asyncio.get_running_loop().time()
        if self._timer is None or len(self._since) > _MOST_IDLE:
            self._end_longest()

    def discard(self, stream: Endable) -> None:
        """Notes that a stream has a call, or has ended."""
        self._since.pop(stream, None)

    def _end_longest(self) -> None:
        """Ends every stream whose time is over, and looks again when that of the next one is."""
        loop = asyncio.get_running_loop()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        while self._since:
            stream, since = next(iter(self._since.items()))
            ends_at = since + (_IDLE_SECONDS if len(self._since) <= _MOST_IDLE else _PATIENCE_SECONDS)
            if loop.time() < ends_at:
                self._timer = loop.call_at(ends_at, self._end_longest)
                return
            del self._since[stream]
            stream.end()
