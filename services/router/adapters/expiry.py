"""Closes, every second, the leases that nobody settled in time."""

import asyncio
from typing import Final

from services.router.domain.leases import LeaseDesk
from services.runtime.clock import Clock
from services.runtime.logs import get_logger

_INTERVAL_SECONDS: Final = 1.0
_log = get_logger(__name__)


async def expire_leases(desk: LeaseDesk, clock: Clock) -> None:
    """Run until cancelled."""
    while True:
        await asyncio.sleep(_INTERVAL_SECONDS)
        expired = await desk.expire(clock.monotonic_seconds())
        if expired:
            _log.warning("leases_expired", count=expired)
