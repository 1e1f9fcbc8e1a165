"""Thousands of histories of three routers on one lease store: never oversold, nothing left, nothing lost.

Calls go side by side and are cancelled, routers crash in the middle of them and are new, the server is killed
and starts again with what it had. `make check` lives fewer of them.
"""

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Final

import pytest
from redis.asyncio import Redis

from services.kernel.clock import ManualClock
from services.kernel.errors import ComptoirError
from services.router.adapters import lease_calls
from services.router.adapters.lease_calls import LeaseCalls
from services.router.adapters.memory_leases import MemoryLeases
from services.router.adapters.redis_leases import RedisLeases
from services.router.domain.amount import Amount
from services.router.domain.lease import Reservation, lease_of
from services.router.domain.ports import LeaseStore
from services.router.domain.quota import Quotas
from services.router.domain.tenancy import Quota
from tests.contracts.lease_history import PAYER, History
from tests.contracts.leases import TENANT
from tests.services.router.adapters.test_local_share_leases_in_any_order import CountedAccounts, live
from tests.valkey_process import ValkeyProcess
from tests.valkey_time import FUNCTIONS_OF_SET_TIME, advance

pytestmark = [pytest.mark.system, pytest.mark.guarantee]
_ROUTERS: Final = 3
_IN_MEMORY: Final = 3_000
_WITH_OUTAGES: Final = 1_000
_IN_VALKEY: Final = 1_000
# One of so many has its server killed.
_RESTART: Final = 40


class MemoryRegion:
    """Three routers in one process, which is where a store in memory is."""

    def __init__(self) -> None:
        self.clock = ManualClock(monotonic_seconds=1_000.0)
        self.memory = MemoryLeases(self.clock)
        self.counted = self.memory._accounts = CountedAccounts(self.clock)
        self.routers: list[LeaseStore] = [self.memory] * _ROUTERS

    async def advance(self, seconds: float) -> None:
        self.clock.advance(seconds)

    async def crash(self, number: int) -> bool:
        """One that crashes takes the store with it: that is another test's."""
        return number < 0


class MortalCalls(LeaseCalls):
    """Calls of a router that may die: from then on it asks nothing and tidies nothing up."""

    is_dead = False

    def tell(self, function: str, partition: int, *args: str | bytes | int) -> None:
        if not self.is_dead:
            super().tell(function, partition, *args)


class ValkeyRegion:
    """Three routers, each with its own connection."""

    def __init__(self, server: ValkeyProcess, operator: Redis) -> None:
        self.server, self.operator = server, operator
        self.calls = [self._new_calls() for _ in range(_ROUTERS)]
        self.routers: list[LeaseStore] = [RedisLeases(calls) for calls in self.calls]
        self.dead: list[LeaseCalls] = []

    def _new_calls(self) -> MortalCalls:
        return MortalCalls(self.server.client(), functions=FUNCTIONS_OF_SET_TIME)

    async def advance(self, seconds: float) -> None:
        await advance(self.operator, seconds)

    async def crash(self, number: int) -> bool:
        self.calls[number].is_dead = True
        self.dead.append(self.calls[number])
        self.calls[number] = self._new_calls()
        self.routers[number] = RedisLeases(self.calls[number])
        return False

    async def restart(self) -> None:
        """The server is killed while it is asked; whatever it has confirmed, it still has."""
        self.server.kill()
        self.server.start()
        await self.server.ready()

    async def bury(self) -> None:
        """Waits for what the dead had sent, or here still send: it is lent from when it is carried out."""
        while self.dead:
            await self.dead.pop().close()

    async def aclose(self) -> None:
        await self.bury()
        for calls in self.calls:
            await calls.close()


def test_histories_in_memory_are_exact() -> None:
    async def live(seed: int) -> None:
        region = MemoryRegion()
        history = History(region, seed)
        await history.run(40, [history.wait, history.expire, history.crash])
        await history.finish()
        assert region.memory.in_flight == 0, seed
        assert len(region.memory._leases) == 0, seed
        assert (await region.memory.spending(*PAYER)).month_tokens == history.settled_tokens, seed
        assert region.counted.requests == history.requests, seed

    with asyncio.Runner() as runner:
        for seed in range(_IN_MEMORY):
            runner.run(live(seed))


def test_histories_with_outages_are_exact() -> None:
    with asyncio.Runner() as runner:
        for seed in range(_WITH_OUTAGES):
            runner.run(live(seed, may_crash=seed % 3 == 0))


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[ValkeyProcess]:
    # What it confirmed is with the system when it is killed. With `everysec` it is not while an earlier sync
    # takes its time: writing is put off then, and confirming is not.
    process = ValkeyProcess(tmp_path, "--appendonly", "yes", "--appendfsync", "no")
    process.start()
    await process.ready()
    yield process
    process.kill()


@pytest.mark.timeout(400)
async def test_histories_in_valkey_are_exact(server: ValkeyProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease_calls, "_REST_SECONDS", 0.005)
    async with aclosing(server.client()) as operator:
        await _live_in_valkey(server, operator)


async def _live_in_valkey(server: ValkeyProcess, operator: Redis) -> None:
    for seed in range(_IN_VALKEY):
        await operator.flushdb()
        region = ValkeyRegion(server, operator)
        async with aclosing(region):
            history = History(region, seed)
            await history.run(20, [history.wait, history.expire, history.crash])
            if seed % _RESTART == 0:
                await asyncio.gather(history.run(10), region.restart())
            await region.bury()
            await history.finish()
            await _assert_nothing_is_left(region, history)


async def _assert_nothing_is_left(region: ValkeyRegion, history: History) -> None:
    names = [str(name) for name in await region.operator.keys("comptoir:*")]
    assert {name.split(":")[4] for name in names} <= {"key", "tenant", "ended"}, (
        "a lease that is over has left something"
    )
    used = await region.routers[0].spending(*PAYER)
    assert used.month_tokens == history.settled_tokens, "charged twice, or not at all"
    # All places can be taken, and all tokens once the minute is over.
    await region.advance(600.0)
    quota = history.quota
    limits = Quota(tokens_per_minute=quota.tokens_per_minute, concurrency=quota.concurrency)
    everything = Quotas(limits, limits)
    for tokens in itertools.chain([quota.tokens_per_minute], itertools.repeat(0, quota.concurrency - 1)):
        lease_id = lease_of(TENANT)
        await region.routers[0].reserve(Reservation(lease_id, PAYER, everything, Amount(tokens), 10.0))
    if quota.concurrency:
        with pytest.raises(ComptoirError):
            await region.routers[1].reserve(Reservation(lease_of(TENANT), PAYER, everything, Amount(), 10.0))
