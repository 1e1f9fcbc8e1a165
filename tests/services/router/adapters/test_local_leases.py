"""A router's share, beside what it lent of it before."""

import pytest

from services.kernel.clock import ManualClock
from services.kernel.errors import ComptoirError, Reason
from services.router.adapters.lease_journal import LeaseJournal
from services.router.adapters.local_leases import LocalLeases, Running
from services.router.domain.tenancy import Quota
from tests.contracts.leases import PAYER, lease


async def test_what_ran_from_before_has_its_place_until_its_time_is_over() -> None:
    clock, quota = ManualClock(monotonic_seconds=1_000.0), Quota(concurrency=2)
    running = [Running(PAYER, 1, 1_010.0), Running(PAYER, 1, 5_000.0)]
    local = LocalLeases(clock, LeaseJournal(), running, routers=1)
    with pytest.raises(ComptoirError) as refusal:
        await local.reserve(lease(1, quota=quota))
    assert refusal.value.reason is Reason.CONCURRENCY_EXHAUSTED
    clock.advance(10.0)
    assert await local.expire() == []
    await local.reserve(lease(1, quota=quota))
    with pytest.raises(ComptoirError):
        await local.reserve(lease(2, quota=quota))
