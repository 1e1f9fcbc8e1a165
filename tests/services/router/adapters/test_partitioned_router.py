"""Two routers on one real Valkey, one of which is cut off from a replica that lives, or is killed with it."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest
from redis.asyncio import Redis

from services.kernel.errors import ComptoirError, Reason
from services.kernel.identity import Identity
from services.router.adapters.lease_calls import LeaseCalls
from services.router.adapters.lease_stores import hearing_of
from services.router.adapters.redis_leases import RedisLeases
from services.router.domain.amount import Amount
from services.router.domain.gone_processes import HEARD_SECONDS
from services.router.domain.lease import Process
from services.router.domain.leases import Leases
from services.router.domain.quota import Payer
from tests.fakes.router import IDLE, LIMITS, AdmissionWorld
from tests.services.router.domain.test_leases import grant
from tests.valkey_process import ValkeyProcess
from tests.valkey_time import FUNCTIONS_OF_SET_TIME, advance

PROCESS = Process(7, 5)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ValkeyProcess]:
    process = ValkeyProcess(tmp_path_factory.mktemp("valkey"))
    process.start()
    asyncio.run(process.ready())
    yield process
    process.kill()


class RouterOfTwo:
    """One router's leases and directory, and the replica's stream to it."""

    def __init__(self, server: ValkeyProcess) -> None:
        self.store = RedisLeases(LeaseCalls(server.client(), functions=FUNCTIONS_OF_SET_TIME))
        self.world = AdmissionWorld()
        self.leases = Leases(
            self.store,
            self.world.transitions,
            self.world.replicas,
            self.world.clock,
            LIMITS,
            hearing_of(self.store),
        )
        self.is_cut_off = False
        self.is_killed = False
        self.world.add_replica(7, incarnation=5)

    def cut_off(self) -> None:
        self.is_cut_off = True
        self.world.replicas.leave(self.world.sessions[7], self.world.clock.monotonic_seconds())

    def connect(self) -> None:
        self.is_cut_off = False
        self.world.add_replica(7, incarnation=5)

    async def second(self) -> int:
        """A second of its life; returns how many requests it gave up."""
        if self.is_killed:
            return 0
        self.world.clock.advance(1.0)
        if not self.is_cut_off:
            self.world.replicas.report(self.world.sessions[7], IDLE, self.world.clock.monotonic_seconds())
        lost = await self.leases.lose_gone()
        await self.leases.expire()
        return lost


class Two:
    """Both, and their store's time."""

    def __init__(self, server: ValkeyProcess, client: Redis) -> None:
        self.routers = [RouterOfTwo(server), RouterOfTwo(server)]
        self._client = client

    async def seconds(self, count: int) -> int:
        lost = 0
        for _ in range(count):
            await advance(self._client, 1.0)
            for router in self.routers:
                lost += await router.second()
        return lost

    async def accept(self, number: int) -> None:
        """Has the one place of the key taken by a request that the replica accepted."""
        await self.routers[0].leases.reserve(grant(number))
        payer, permitted = Payer.of(grant(number).key), Amount(10)
        lease_id, ticket_id = grant(number).lease_id, Identity(9, number)
        await self.routers[0].leases.accept(PROCESS, lease_id, ticket_id, payer=payer, permitted=permitted)

    async def has_place(self, number: int) -> bool:
        try:
            await self.routers[0].leases.reserve(grant(number))
        except ComptoirError as refused:
            return refused.reason is not Reason.CONCURRENCY_EXHAUSTED
        return True


@pytest.fixture
async def two(server: ValkeyProcess) -> AsyncIterator[Two]:
    client = server.client()
    await client.flushall()
    two = Two(server, client)
    await two.seconds(1)
    yield two
    for router in two.routers:
        await router.store.close()
    await client.aclose()


async def test_a_router_that_is_cut_off_from_a_replica_lends_nothing_that_runs_there(two: Two) -> None:
    await two.accept(1)
    two.routers[0].cut_off()
    assert await two.seconds(60) == 0
    assert not await two.has_place(2)
    two.routers[0].connect()
    assert await two.seconds(20) == 0
    assert not await two.has_place(2)


async def test_a_replica_that_both_lose_is_given_up_once_and_soon(two: Two) -> None:
    await two.accept(1)
    for router in two.routers:
        router.cut_off()
    assert await two.seconds(round(LIMITS.replica_return_seconds)) == 1
    assert await two.has_place(2)
    assert await two.seconds(20) == 0


async def test_a_replica_that_dies_with_the_router_that_heard_it_is_given_up(two: Two) -> None:
    await two.accept(1)
    two.routers[0].cut_off()
    assert await two.seconds(20) == 0
    two.routers[1].is_killed = True
    assert await two.seconds(round(HEARD_SECONDS) + 1) == 1
    assert await two.has_place(2)


async def test_a_replica_that_is_silent_at_both_is_given_up_when_it_was_before(two: Two) -> None:
    await two.accept(1)
    for router in two.routers:
        router.is_cut_off = True
    assert await two.seconds(round(LIMITS.replica_silent_seconds)) == 0
    assert await two.seconds(1) == 1


async def test_a_clock_that_is_set_back_keeps_nobody_heard(two: Two, server: ValkeyProcess) -> None:
    await two.accept(1)
    two.routers[1].is_killed = True
    client = server.client()
    await advance(client, -3_600)
    await client.aclose()
    two.routers[0].cut_off()
    assert await two.seconds(round(LIMITS.replica_return_seconds)) == 1
