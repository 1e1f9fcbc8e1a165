"""The end of an answer that its client has yet to take."""

import asyncio
from collections.abc import Callable
from typing import Final

# So a client that takes in nothing has its time and a quarter of it at most.
_LOOKS: Final = 4


class Flush:
    """Waits until all that was written has been sent; the transport calls `resume_writing` then.

    Gives up once the client has taken in nothing for `write_seconds`: one that reads has all the time.
    """

    def __init__(
        self, transport: asyncio.WriteTransport, write_seconds: float, give_up: Callable[[], None]
    ) -> None:
        self._transport = transport
        self._pause_seconds = write_seconds / _LOOKS
        self._give_up = give_up
        self._loop = asyncio.get_running_loop()
        self._left_bytes = transport.get_write_buffer_size()
        self._quiet_looks = 0
        # Writing counts as paused from now on, and goes on at no byte instead of at a few.
        transport.set_write_buffer_limits(high=0)
        self._timer = self._loop.call_later(self._pause_seconds, self._look)

    def end(self) -> None:
        """Ends the wait, and lets the transport hold what it may hold of the next answer."""
        self._timer.cancel()
        self._transport.set_write_buffer_limits()

    def _look(self) -> None:
        left_bytes = self._transport.get_write_buffer_size()
        self._quiet_looks = self._quiet_looks + 1 if left_bytes == self._left_bytes else 0
        self._left_bytes = left_bytes
        if self._quiet_looks >= _LOOKS:
            self._give_up()
        else:
            self._timer = self._loop.call_later(self._pause_seconds, self._look)
