"""Waiting for it that a lease is held by other processes: its caller may hear of a replica's end first."""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from typing import Final, TypeVar

from services.kernel.errors import ComptoirError, Reason
from services.kernel.identity import Identity
from services.router.domain.waiting_lines import MAX_WAITING

Got = TypeVar("Got")

# Of routers that share a store another one may hear of a change, which tells nobody here.
_LOOK_SECONDS: Final = 0.25


class HolderChanges:
    """Tells those that wait for a lease that one may be held by other processes than before.

    They look every `look_seconds` too.
    """

    def __init__(self, *, wait_seconds: float, look_seconds: float = _LOOK_SECONDS) -> None:
        self._wait_seconds = wait_seconds
        self._look_seconds = look_seconds
        # Set, and replaced, at each change.
        self._changed = asyncio.Event()
        self._waiting: set[Identity] = set()

    def tell(self) -> None:
        """Lets everyone try again."""
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    async def tried(
        self, lease_id: Identity, attempt: Callable[[], Awaitable[Got]], reasons: Collection[Reason]
    ) -> Got:
        """Returns what the attempt returns; refused for one of the reasons, it is tried again at each change.

        Raises its last refusal once the wait is over, or at once where one waits for the lease already.
        """
        end_seconds = asyncio.get_running_loop().time() + self._wait_seconds
        while True:
            # Of before the attempt: a change during it lets this one try again.
            changed = self._changed
            try:
                return await attempt()
            except ComptoirError as refused:
                if refused.reason not in reasons or not await self._is_set(changed, lease_id, end_seconds):
                    raise

    async def _is_set(self, changed: asyncio.Event, lease_id: Identity, end_seconds: float) -> bool:
        # An honest caller asks once at a time.
        if lease_id in self._waiting or len(self._waiting) >= MAX_WAITING:
            return False
        self._waiting.add(lease_id)
        try:
            look_seconds = asyncio.get_running_loop().time() + self._look_seconds
            async with asyncio.timeout_at(min(look_seconds, end_seconds)):
                await changed.wait()
        except TimeoutError:
            return look_seconds < end_seconds
        finally:
            self._waiting.discard(lease_id)
        return True
