"""Calls whose request has not come yet.

A call takes its place in a server with its headers. Callers without a key could so fill a server with
calls that send nothing.
"""

from collections.abc import AsyncIterator
from typing import Final

from services.kernel.errors import ComptoirError, Reason
from services.runtime.grpc.waiting_calls import WaitingCalls

# A request of some megabytes on a slow line.
WAIT_SECONDS: Final = 30.0
# Of a server's places; what is above gets less time, so that those who send find theirs.
_MOST_WAITING: Final = 1024
# Calls of a burst all wait for a moment, with their requests at hand.
_PATIENCE_SECONDS: Final = 1.0


class FirstMessages:
    """The calls of one server that have sent no request yet."""

    def __init__(self) -> None:
        self._calls = WaitingCalls(most_waiting=_MOST_WAITING, patience_seconds=_PATIENCE_SECONDS)

    async def of(self, messages: AsyncIterator[bytes]) -> bytes:
        """Returns the one request of a call; REQUEST_INVALID for none, DEADLINE_EXCEEDED for a late one."""
        try:
            async with self._calls.place(WAIT_SECONDS):
                message = await anext(messages, None)
        except TimeoutError:
            raise ComptoirError(Reason.DEADLINE_EXCEEDED) from None
        if message is None:
            raise ComptoirError(Reason.REQUEST_INVALID)
        return message
