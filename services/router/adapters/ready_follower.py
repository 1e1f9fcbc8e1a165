"""Tells health whether requests can be served: whether any replica is ready."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from services.router.domain.roster import Roster
from services.runtime.logs import get_logger

_LOOK_SECONDS: Final = 0.25
_log = get_logger(__name__)


async def follow_readiness(roster: Roster, tell: Callable[[bool], Awaitable[None]]) -> None:
    """Runs until cancelled; `tell` is called at once, and whenever it changed."""
    was_ready = False
    await tell(was_ready)
    while True:
        is_ready = roster.has_ready()
        if is_ready != was_ready:
            if is_ready:
                _log.info("replicas_ready")
            else:
                _log.error("no_replica_ready", count=len(roster.standings()))
            await tell(is_ready)
            was_ready = is_ready
        await asyncio.sleep(_LOOK_SECONDS)
