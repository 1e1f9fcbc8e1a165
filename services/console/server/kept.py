"""One reader of a source for all viewers: what it said is kept for some seconds."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, Generic, TypeVar

from services.console.domain.errors import SourceAwayError
from services.console.domain.reading import Reading
from services.kernel.clock import Clock
from services.runtime.logs import get_logger, log_failure

_log = get_logger(__name__)
Value = TypeVar("Value")
_MICROSECONDS: Final = 1_000_000
# Longest answer of a source.
_READ_SECONDS: Final = 30.0


class Kept(Generic[Value]):
    """Asks `read` when somebody looks and the last answer is older than `fresh_seconds`, once at a time."""

    def __init__(self, read: Callable[[], Awaitable[Value]], clock: Clock, *, fresh_seconds: float) -> None:
        self._read = read
        self._clock = clock
        self._fresh_seconds = fresh_seconds
        self._reading: Reading[Value] = Reading()
        self._asked_seconds: float | None = None
        self._asking: asyncio.Task[None] | None = None

    async def reading(self, *, wait_seconds: float) -> Reading[Value]:
        """Returns the newest reading; an older one where a new answer takes longer than `wait_seconds`."""
        if self._asking is None and self._is_old():
            self._asked_seconds = self._clock.monotonic_seconds()
            self._asking = asyncio.create_task(self._ask())
        if self._asking is not None:
            # Who leaves the page does not end the question that others wait for.
            await asyncio.wait({self._asking}, timeout=wait_seconds)
        return self._reading

    async def close(self) -> None:
        """Ends the question that runs."""
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.wait({self._asking})

    def _is_old(self) -> bool:
        now_seconds = self._clock.monotonic_seconds()
        return self._asked_seconds is None or now_seconds - self._asked_seconds >= self._fresh_seconds

    async def _ask(self) -> None:
        try:
            async with asyncio.timeout(_READ_SECONDS):
                value = await self._read()
            self._reading = self._reading.answered(value, self._now())
        except SourceAwayError as error:
            self._reading = self._reading.unanswered(str(error), self._now())
        except TimeoutError:
            why = f"It has not answered for {_READ_SECONDS:.0f} s."
            self._reading = self._reading.unanswered(why, self._now())
        except Exception as error:  # noqa: BLE001 - the boundary: old numbers must not look like new ones
            log_failure(_log, "source_unreadable", error)
            self._reading = self._reading.unanswered("Its answer cannot be read.", self._now())
        finally:
            self._asking = None

    def _now(self) -> float:
        return self._clock.wall_microseconds() / _MICROSECONDS
