"""Sees changes that any router made of tenants and keys, and tells what this one remembers of them."""

import asyncio
from typing import Final, Protocol

from services.kernel.clock import Clock
from services.kernel.errors import ComptoirError
from services.router.adapters.cached_keys import TRUST_SECONDS, CachedKeys
from services.router.domain.tenancy import Changes
from services.runtime.logs import get_logger
from services.runtime.metrics.registry import router as metrics
from services.runtime.telemetry import counter, gauge

_log = get_logger(__name__)

# A change holds here after no more, and a look that fails is made good before what is remembered ends.
LOOK_SECONDS: Final = 0.2
# Of more changes between two looks, such as those of an import, all is forgotten.
MOST_FORGOTTEN: Final = 1000


class ChangeCounter(Protocol):
    """Counts the changes of tenants and keys, for all routers that share the store."""

    async def change_number(self) -> int:
        """Returns a number that grows with every change; KEYS_UNAVAILABLE where it cannot be read."""
        ...

    async def changes_since(self, number: int, most: int) -> Changes:
        """Returns what changed since that number, or that it is not told; KEYS_UNAVAILABLE as well."""
        ...


class KeyChanges:
    """Asks the store for the number of its last change, once for all keys and not once a request.

    Where it grew, what changed is forgotten, and the rest stays.

    As long as the number cannot be read, nothing is confirmed: what is remembered ends within a second.
    """

    def __init__(self, store: ChangeCounter, keys: CachedKeys, clock: Clock) -> None:
        self._store = store
        self._keys = keys
        self._clock = clock
        self._seen: int | None = None
        self._is_broken = False
        self._unseen = counter(metrics.KEY_CHANGES_UNSEEN)
        # The meter keeps what it reads: not the keys too.
        looked = self._looked_seconds = [clock.monotonic_seconds()]
        gauge(metrics.KEY_CHANGES_AGE, read=lambda: clock.monotonic_seconds() - looked[0])

    async def follow(self) -> None:
        """Runs until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(LOOK_SECONDS)

    async def look(self) -> None:
        """Looks once; has what is remembered forgotten if anything changed since the last look."""
        asked_seconds = self._clock.monotonic_seconds()
        try:
            async with asyncio.timeout(TRUST_SECONDS):
                number = await self._store.change_number()
                if number != self._seen:
                    number = await self._catch_up(number)
        except (ComptoirError, TimeoutError):
            self._unseen.add(1)
            if not self._is_broken:
                self._is_broken = True
                _log.error("key_changes_unseen")
            return
        self._seen = number
        self._looked_seconds[0] = asked_seconds
        self._keys.confirm(asked_seconds)
        if self._is_broken:
            self._is_broken = False
            _log.info("key_changes_seen_again")

    async def _catch_up(self, number: int) -> int:
        """Has what changed be forgotten, or all where that is not told; returns up to which number."""
        if self._seen is not None:
            changes = await self._store.changes_since(self._seen, MOST_FORGOTTEN)
            if changes.is_told:
                self._keys.forget(changes)
                return changes.number
        self._keys.forget()
        await self._keys.learn()
        return number
