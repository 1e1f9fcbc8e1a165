"""Who waits a moment for a place: first come, first served, and never for long."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass, field
from typing import Final, TypeVar

from services.kernel.errors import ComptoirError, Reason
from services.router.domain.placement.kv_room import NoRoomError

MAX_WAITING: Final = 1024

Got = TypeVar("Got")


@dataclass(slots=True)
class _Line:
    """Those who wait, the first first, and what the last attempt of any was told."""

    refusal: ComptoirError
    turns: deque[asyncio.Event] = field(default_factory=deque)


class WaitingLines:
    """One line per name. The request that stands first tries again each time that a place becomes free.

    Those wait that are refused for a reason; `is_of_tenant` leaves out those of which a key's limit is one.
    """

    def __init__(self, reason: Reason, *, wait_seconds: float, is_of_tenant: bool = False) -> None:
        self._reason = reason
        self._is_of_tenant = is_of_tenant
        self._wait_seconds = wait_seconds
        self._lines: dict[Hashable, _Line] = {}
        self._waiting = 0

    @property
    def waiting(self) -> int:
        """Returns how many wait, in all lines together."""
        return self._waiting

    async def take(self, name: Hashable, attempt: Callable[[], Awaitable[Got]], *, most: int) -> Got:
        """Returns what the attempt returns, after a wait if it is refused for want of a place.

        Raises that refusal once the wait is over, or at once where `most` wait in this line already,
        or too many in all.
        """
        if name not in self._lines:
            # Nobody is passed over.
            try:
                return await attempt()
            except ComptoirError as refusal:
                if not self._is_waited_for(refusal) or not self._may_wait(name, most):
                    raise
                line = self._lines.setdefault(name, _Line(refusal))
        else:
            line = self._lines[name]
            if not self._may_wait(name, most):
                raise again(line.refusal)
        return await self._wait(name, line, attempt)

    def refusal_of(self, name: Hashable) -> ComptoirError | None:
        """Returns what those in a line were told last; None where nobody waits in it."""
        line = self._lines.get(name)
        return line.refusal if line is not None and line.turns else None

    def free(self, name: Hashable) -> None:
        """Lets the first of a line try again."""
        line = self._lines.get(name)
        if line is not None and line.turns:
            line.turns[0].set()

    def free_all(self) -> None:
        """Lets the first of every line try again."""
        for name in self._lines:
            self.free(name)

    async def _wait(self, name: Hashable, line: _Line, attempt: Callable[[], Awaitable[Got]]) -> Got:
        end_seconds = asyncio.get_running_loop().time() + self._wait_seconds
        turn = asyncio.Event()
        line.turns.append(turn)
        self._waiting += 1
        # A place that became free during the attempt before this one woke nobody.
        self.free(name)
        try:
            while True:
                await _called(turn, line, end_seconds)
                try:
                    return await attempt()
                except ComptoirError as refusal:
                    if not self._is_waited_for(refusal):
                        raise
                    line.refusal = refusal
        finally:
            line.turns.remove(turn)
            self._waiting -= 1
            # There may be another place, or what woke this one was not used.
            self.free(name)
            if not line.turns:
                self._lines.pop(name, None)

    def _is_waited_for(self, refusal: ComptoirError) -> bool:
        return refusal.reason is self._reason and refusal.is_of_tenant >= self._is_of_tenant

    def _may_wait(self, name: Hashable, most: int) -> bool:
        line = self._lines.get(name)
        is_short = (0 if line is None else len(line.turns)) < most
        return self._wait_seconds > 0 and self._waiting < MAX_WAITING and is_short


async def _called(turn: asyncio.Event, line: _Line, end_seconds: float) -> None:
    if asyncio.get_running_loop().time() >= end_seconds:
        # Also one that was called: an attempt may wait itself.
        raise again(line.refusal)
    try:
        async with asyncio.timeout_at(end_seconds):
            await turn.wait()
    except TimeoutError:
        raise again(line.refusal) from None
    turn.clear()


def again(refusal: ComptoirError) -> ComptoirError:
    """Returns the same refusal as a new exception: raising one writes its traceback into it."""
    return ComptoirError(
        refusal.reason,
        retry_after_seconds=refusal.retry_after_seconds,
        numbers=refusal.numbers,
        quota=refusal.quota,
    )


def without_size(refusal: ComptoirError) -> ComptoirError:
    """Returns the refusal of one that waits as it is told to another: not how large its request is."""
    return NoRoomError() if isinstance(refusal, NoRoomError) else again(refusal)
