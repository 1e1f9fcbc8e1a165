"""Whatever happens to routers whose store is away at times: nothing is oversold, leaks or is charged twice.

Places of before an outage and those of all shares are twice the limit at most; the rates stay what they are.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.kernel.clock import ManualClock
from services.kernel.quota import QuotaState
from services.router.adapters.local_share_leases import LocalShareLeases
from services.router.adapters.memory_leases import MemoryLeases
from services.router.domain.accounts import Accounts
from services.router.domain.amount import Amount
from services.router.domain.ports import LeaseStore
from services.router.domain.quota import Held, Payer, Quotas
from services.router.domain.spending_book import SpendingBook
from tests.contracts.lease_history import PAYER, History
from tests.services.router.adapters.unsteady_store import UnsteadyStore

ROUTERS = 3


class SharingRouters:
    """Routers that lend their shares while the store, which is in memory here, is away for all."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.clock = ManualClock(monotonic_seconds=1_000.0)
        self.memory = MemoryLeases(self.clock)
        self.counted = self.memory._accounts = CountedAccounts(self.clock)
        self.lines = [UnsteadyStore(self.memory) for _ in range(ROUTERS)]
        self.sharing = [self._router(line) for line in self.lines]
        self.routers: list[LeaseStore] = list(self.sharing)
        self.expire_at: Callable[[LeaseStore], Awaitable[bool]]

    def _router(self, line: UnsteadyStore) -> LocalShareLeases:
        return LocalShareLeases(line, self.clock, routers=ROUTERS)

    async def advance(self, seconds: float) -> None:
        self.clock.advance(seconds)

    async def crash(self, number: int) -> bool:
        dying = self.sharing[number]
        self.routers[number] = self.sharing[number] = self._router(self.lines[number])
        return dying.away_seconds > 0 or dying.untold > 0

    async def go_away(self) -> None:
        for line in self.lines:
            line.is_away = True

    async def come_back(self) -> None:
        """All routers know it at once: what one has not told yet is for a moment beyond the limits."""
        for line in self.lines:
            line.is_away, line.are_lost = False, []
        for router in self.routers:
            await self.expire_at(router)

    async def lose_answers(self) -> None:
        """Some of what the store is told on the way back is done, and not confirmed."""
        for line in self.lines:
            if line.is_away:
                # The first is that it is there.
                line.is_away = False
                line.are_lost = [False, *(self.random.random() < 0.4 for _ in range(20))]
        for router in self.routers:
            await self.expire_at(router)
        for line in self.lines:
            line.are_lost = []
        await self.go_away()


class CountedAccounts(Accounts):
    """Accounts that also remember how many requests were taken."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__(clock, SpendingBook())
        self.requests = 0

    def lend(self, payer: Payer, quotas: Quotas, amount: Amount) -> tuple[QuotaState, Held]:
        lent = super().lend(payer, quotas, amount)
        self.requests += 1
        return lent

    def lend_behind(self, payer: Payer, quotas: Quotas, amount: Amount) -> tuple[QuotaState, Held]:
        self.requests += 1
        return super().lend_behind(payer, quotas, amount)

    def give_request(self, payer: Payer) -> None:
        self.requests -= 1
        super().give_request(payer)


async def lived(seed: int, *, rounds: int, may_crash: bool) -> tuple[SharingRouters, History]:
    region = SharingRouters(seed)
    history = History(region, seed, outages=True)
    region.expire_at = history.expire_at
    events = [history.wait, history.expire, region.go_away, region.come_back, region.lose_answers]
    await history.run(rounds, [*events, history.crash] if may_crash else events)
    await region.come_back()
    await history.finish()
    return region, history


async def assert_exact(region: SharingRouters, history: History) -> None:
    assert region.memory.in_flight == 0, "a place is left"
    assert len(region.memory._leases) == 0
    assert [router.untold for router in region.sharing] == [0] * ROUTERS
    if history.has_forgotten:
        return
    # A router may give a process up of which another one has not told yet that it accepted a ticket: what
    # that permits stays charged beside what was used.
    doubtful_tokens = sum(life.tokens for life in history.lent if life.is_lost)
    for spending in (await region.memory.spending(*PAYER), await region.memory.spending(PAYER.tenant)):
        charged_beside = spending.month_tokens - history.settled_tokens
        assert 0 <= charged_beside <= doubtful_tokens, "charged twice, or not at all"
    # One that was undone while the store was away may have ended there by its time, with its request counted.
    assert 0 <= region.counted.requests - history.requests <= history.cancelled


async def live(seed: int, *, may_crash: bool) -> None:
    """One history, and the look at what is left of it."""
    await assert_exact(*await lived(seed, rounds=60, may_crash=may_crash))


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32), st.booleans())
def test_shares_oversell_nothing_leak_nothing_and_are_charged_once(seed: int, may_crash: bool) -> None:
    with asyncio.Runner() as runner:
        runner.run(live(seed, may_crash=may_crash))


def test_a_share_that_is_charged_twice_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MemoryLeases, "_has_taken", lambda *_: False)

    async def all_of_them() -> None:
        for seed in range(300):
            await live(seed, may_crash=False)

    with asyncio.Runner() as runner, pytest.raises(AssertionError):
        runner.run(all_of_them())
