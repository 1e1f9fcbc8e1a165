"""Ends, every second, the leases whose time is over or whose replica is gone."""

import asyncio
from typing import Final

from services.kernel.errors import ComptoirError, Reason
from services.router.domain.leases import Leases
from services.runtime.logs import get_logger

_INTERVAL_SECONDS: Final = 1.0
# A process that was stopped for so long, with its machine for one, has reports to read first.
_STOOD_STILL_SECONDS: Final = 2.0
_log = get_logger(__name__)


async def expire_leases(leases: Leases, stopping: asyncio.Event) -> None:
    """Runs until cancelled, or until the router stops.

    A router that stops has closed the streams of its replicas itself: none of them is gone, and what they
    hold in a store that others share is theirs still.
    """
    loop = asyncio.get_running_loop()
    looked_seconds, has_stood_still = loop.time(), False
    while True:
        await asyncio.sleep(_INTERVAL_SECONDS)
        if stopping.is_set():
            return
        late_seconds = loop.time() - looked_seconds - _INTERVAL_SECONDS
        looked_seconds = loop.time()
        # Once: one that is always late has heard nobody in between, and looks all the same.
        has_stood_still = late_seconds > _STOOD_STILL_SECONDS and not has_stood_still
        try:
            await _expire(leases, may_lose=not has_stood_still)
        except ComptoirError as error:
            # The store says itself that it is away; what ended meanwhile is found at the next turn.
            if error.reason is not Reason.QUOTA_UNAVAILABLE:
                raise


async def _expire(leases: Leases, *, may_lose: bool) -> None:
    if may_lose and (lost := await leases.lose_gone()):
        _log.warning("leases_lost", count=lost)
    expired = await leases.expire()
    if expired:
        _log.warning("leases_expired", count=expired)
