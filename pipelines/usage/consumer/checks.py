"""Looks now and then at what the store holds, and hands it to the metrics."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, Protocol

from pipelines.usage.domain.errors import BadFrameError, UnavailableError
from pipelines.usage.domain.ports import StoreCheck
from services.kernel.clock import Clock
from services.runtime.logs import get_logger

_log = get_logger(__name__)

# The view of completeness reads every sequence: at most this share of the time goes into looking.
_SHARE: Final = 0.02
FIRST_SECONDS: Final = 15.0
EVERY_SECONDS: Final = 60.0
LONGEST_SECONDS: Final = 3_600.0


class StoreChecks(Protocol):
    """The store as it judges itself."""

    async def check(self, retention_days: int) -> StoreCheck:
        """Returns what is there now; UnavailableError where it cannot."""
        ...


async def check_store(
    store: StoreChecks,
    show: Callable[[StoreCheck], None],
    clock: Clock,
    *,
    retention_days: int,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> None:
    """Runs until cancelled; what cannot be read is looked at again the next time."""
    await sleep(FIRST_SECONDS)
    while True:
        began_seconds = clock.monotonic_seconds()
        try:
            show(await store.check(retention_days))
        except (UnavailableError, BadFrameError) as error:
            # The tables may not be there yet, and the readiness says whether the store is away.
            _log.warning("store_unchecked", error_type=type(error).__name__)
        took_seconds = clock.monotonic_seconds() - began_seconds
        await sleep(min(LONGEST_SECONDS, max(EVERY_SECONDS, took_seconds / _SHARE)))
