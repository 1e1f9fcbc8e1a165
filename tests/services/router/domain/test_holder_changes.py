"""Who is refused tries again when a lease may be held by others, for a bounded time, once at a time."""

import asyncio

import pytest

from services.kernel.errors import ComptoirError, Reason
from services.kernel.identity import Identity
from services.router.domain.holder_changes import HolderChanges
from tests.services.router.domain.test_offers import reason_of

LEASE = Identity(0, 1)
REASONS = {Reason.TOKENS_EXHAUSTED}
WAIT_SECONDS = 5


class Attempts:
    """Refuses until it is told otherwise, and counts."""

    def __init__(self, reason: Reason = Reason.TOKENS_EXHAUSTED) -> None:
        self.refusal: ComptoirError | None = ComptoirError(reason)
        self.count = 0

    async def __call__(self) -> int:
        self.count += 1
        if self.refusal is not None:
            raise ComptoirError(self.refusal.reason)
        return self.count


async def _turns() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_each_change_is_one_more_try() -> None:
    changes, attempts = HolderChanges(wait_seconds=30.0, look_seconds=30.0), Attempts()
    trying = asyncio.create_task(changes.tried(LEASE, attempts, REASONS))
    for count in (1, 2, 3):
        await _turns()
        assert attempts.count == count
        changes.tell()
    await _turns()
    attempts.refusal = None
    changes.tell()
    assert await asyncio.wait_for(trying, WAIT_SECONDS) == 5


async def test_the_last_refusal_is_raised_when_the_wait_is_over() -> None:
    attempts = Attempts()
    assert await reason_of(HolderChanges(wait_seconds=0.0).tried(LEASE, attempts, REASONS)) in REASONS
    assert attempts.count == 1


@pytest.mark.parametrize("is_second", [True, False], ids=["waits already", "another reason"])
async def test_nobody_waits_twice_for_a_lease_or_for_what_no_change_mends(is_second: bool) -> None:
    changes = HolderChanges(wait_seconds=30.0, look_seconds=30.0)
    waiting = asyncio.create_task(changes.tried(LEASE, Attempts(), REASONS)) if is_second else None
    await _turns()
    attempts = Attempts(Reason.TOKENS_EXHAUSTED if is_second else Reason.LEASE_ENDED)
    await asyncio.wait_for(reason_of(changes.tried(LEASE, attempts, REASONS)), WAIT_SECONDS)
    assert attempts.count == 1
    if waiting is not None:
        waiting.cancel()


async def test_a_change_of_which_another_router_heard_is_found_within_the_wait() -> None:
    changes, attempts = HolderChanges(wait_seconds=30.0, look_seconds=0.01), Attempts()
    trying = asyncio.create_task(changes.tried(LEASE, attempts, REASONS))
    await _turns()
    attempts.refusal = None
    assert await asyncio.wait_for(trying, WAIT_SECONDS) >= 2
