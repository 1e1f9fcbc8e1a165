"""Ends, every second, the leases whose time is over or whose replica is gone."""

import asyncio
from typing import Final

from services.kernel.errors import ComptoirError, Reason
from services.router.domain.leases import Leases
from services.runtime.logs import get_logger

_INTERVAL_SECONDS: Final = 1.0
_log = get_logger(__name__)


async def expire_leases(leases: Leases, stopping: asyncio.Event) -> None:
    """Runs until cancelled, or until the router stops.

    A router that stops has closed the streams of its replicas itself: none of them is gone, and what they
    hold in a store that others share is theirs still.
    """
    while True:
        await asyncio.sleep(_INTERVAL_SECONDS)
        if stopping.is_set():
            return
        try:
            await _expire(leases)
        except ComptoirError as error:
            # The store says itself that it is away; what ended meanwhile is found at the next turn.
            if error.reason is not Reason.QUOTA_UNAVAILABLE:
                raise


async def _expire(leases: Leases) -> None:
    lost = await leases.lose_gone()
    if lost:
        _log.warning("leases_lost", count=lost)
    expired = await leases.expire()
    if expired:
        _log.warning("leases_expired", count=expired)
