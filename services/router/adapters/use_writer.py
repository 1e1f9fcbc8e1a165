"""Writes every minute when keys were used last."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from services.kernel.errors import ComptoirError
from services.router.domain.ports import KeyStore
from services.router.domain.uses import Uses
from services.runtime.logs import get_logger

_INTERVAL_SECONDS: Final = 60.0
_log = get_logger(__name__)


async def write_uses_often(
    uses: Uses, store: KeyStore, *, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
) -> None:
    """Runs until cancelled."""
    while True:
        await sleep(_INTERVAL_SECONDS)
        await write_uses(uses, store)


async def write_uses(uses: Uses, store: KeyStore) -> None:
    """Writes what waits; where the store cannot be reached, it waits on."""
    waiting = uses.take()
    if not waiting:
        return
    try:
        await store.note_uses(waiting)
    except ComptoirError as error:
        uses.give_back(waiting)
        _log.warning("key_uses_not_written", reason=error.reason.name, count=len(waiting))
