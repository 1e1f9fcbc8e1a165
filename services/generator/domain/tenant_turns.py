"""Whose turn it is of tenants whose work is done one after the other: whoever had the least time."""

import asyncio
from collections import deque


class TenantTurns:
    """One has its turn at a time, and a tenant that took long waits the longer for its next one.

    Start-time fair queueing (Goyal, Vin and Cheng, SIGCOMM 1996): a turn begins, in a time of the line's own,
    where its tenant's last one ended, or now for a tenant that asked nothing; the earliest is next. Whoever
    comes waits for the turn under way and for at most one of each other tenant, however many wait there. Of
    a tenant that waits for nothing and is not ahead of the line nothing is kept.
    """

    def __init__(self) -> None:
        self._waiting: dict[int, deque[asyncio.Future[None]]] = {}
        # Where the last turn of each tenant ended that is ahead of the line.
        self._ended_seconds: dict[int, float] = {}
        self._now_seconds = 0.0
        self._is_taken = False

    async def take(self, tenant: int) -> None:
        """Returns when it is the tenant's turn, which lasts until `give_on`; of its own the first is next."""
        if not self._is_taken:
            self._begin(tenant)
            return
        called = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(tenant, deque()).append(called)
        try:
            await called
        except asyncio.CancelledError:
            if called.cancelled():
                self._leave(tenant, called)
            else:
                # It was called and left in the same turn of the loop.
                self.give_on(tenant, 0.0)
            raise

    def give_on(self, tenant: int, seconds: float) -> None:
        """Ends the tenant's turn, which took that long."""
        self._ended_seconds[tenant] = self._now_seconds + seconds
        self._is_taken = False
        if self._waiting:
            following = min(self._waiting, key=self._starts_seconds)
            called = self._waiting[following].popleft()
            self._drop_if_empty(following)
            self._begin(following)
            called.set_result(None)
        self._forget()

    def _starts_seconds(self, tenant: int) -> float:
        return max(self._now_seconds, self._ended_seconds.get(tenant, 0.0))

    def _begin(self, tenant: int) -> None:
        self._now_seconds = self._starts_seconds(tenant)
        self._is_taken = True

    def _leave(self, tenant: int, called: asyncio.Future[None]) -> None:
        self._waiting[tenant].remove(called)
        self._drop_if_empty(tenant)

    def _drop_if_empty(self, tenant: int) -> None:
        if not self._waiting[tenant]:
            del self._waiting[tenant]

    def _forget(self) -> None:
        """Where nobody waits, nobody was held up; else drops whoever the line has caught up with."""
        if not self._is_taken:
            self._ended_seconds.clear()
            self._now_seconds = 0.0
            return
        for tenant, ended_seconds in list(self._ended_seconds.items()):
            if ended_seconds <= self._now_seconds:
                del self._ended_seconds[tenant]
