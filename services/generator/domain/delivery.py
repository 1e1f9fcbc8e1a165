"""An answer on its way to a caller that has a call of its own, and may be slower than the engine."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final, Generic, Protocol, TypeAlias, TypeVar

from services.generator.domain import endings
from services.generator.domain.delta import Delta
from services.kernel.errors import ComptoirError

Said = TypeVar("Said")
SaidOf_co = TypeVar("SaidOf_co", covariant=True)
Send: TypeAlias = Callable[[Said], Awaitable[None]]

# How long what was generated before a failure may take to be sent, before the caller is told of the failure.
_REST_SECONDS: Final = 0.5


class Work(Protocol[SaidOf_co]):
    """What says something, and can be ended from outside."""

    async def serve(self, put: Callable[[SaidOf_co], None]) -> None:
        """Puts all that it says."""
        ...

    def fail(self, failure: BaseException) -> None:
        """Ends now, for what went wrong on the way to the caller."""
        ...


class Outbox(Generic[Said]):
    """Messages that were not sent yet; deltas that wait together become one."""

    def __init__(self) -> None:
        self._messages: deque[Said] = deque()
        self._news = asyncio.Event()
        self._is_closed = False

    def put(self, message: Said) -> None:
        """Takes a message in; never waits."""
        last = self._messages[-1] if self._messages else None
        if isinstance(last, Delta) and isinstance(message, Delta) and last.can_grow_by(message):
            last.grow_by(message)
        else:
            self._messages.append(message)
        self._news.set()

    def close(self) -> None:
        """Says that no message comes any more."""
        self._is_closed = True
        self._news.set()

    async def take(self) -> Said | None:
        """Returns the next message; None once there will be none."""
        while not self._messages:
            if self._is_closed:
                return None
            self._news.clear()
            await self._news.wait()
        return self._messages.popleft()


async def deliver(work: Work[Said], send: Send[Said], *, max_seconds: float) -> None:
    """Serves a request, and sends what it says as fast as its caller takes it.

    Raises ComptoirError, or CancelledError if the caller went: then the request has ended, whatever phase it
    was in.
    """
    outbox: Outbox[Said] = Outbox()
    serving = asyncio.create_task(work.serve(outbox.put))
    # Where the caller went, nobody else looks at how it ended; asyncio must not report it.
    serving.add_done_callback(lambda done: done.cancelled() or done.exception())
    try:
        await _send_all(outbox, serving, send, max_seconds)
    except BaseException as failure:
        work.fail(failure)
        await asyncio.wait({serving})
        if not endings.needs_translation(failure):
            raise
        serving.result()
        raise ComptoirError(endings.ending_of(failure, is_late=False).reason) from None
    await serving


async def _send_all(
    outbox: Outbox[Said], serving: asyncio.Task[None], send: Send[Said], max_seconds: float
) -> None:
    loop = asyncio.get_running_loop()
    latest_seconds = loop.time() + max_seconds
    is_sending = True
    async with asyncio.timeout(None) as limit:

        def ended(done: asyncio.Task[None]) -> None:
            # Where the caller goes in the turn in which the request ends, this call is on its way already.
            if not is_sending:
                return
            is_whole = not done.cancelled() and done.exception() is None
            rest_seconds = latest_seconds - loop.time() if is_whole else 0.0
            limit.reschedule(loop.time() + max(rest_seconds, _REST_SECONDS))
            outbox.close()

        serving.add_done_callback(ended)
        try:
            while (message := await outbox.take()) is not None:
                await send(message)
        finally:
            is_sending = False
            serving.remove_done_callback(ended)
