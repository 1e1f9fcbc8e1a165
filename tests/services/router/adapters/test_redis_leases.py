"""Leases in a real Valkey keep the contract of all lease stores."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest
from redis.asyncio import Redis

from services.kernel.errors import ComptoirError
from services.router.adapters.lease_calls import LeaseCalls
from services.router.adapters.redis_leases import RedisLeases
from services.router.domain.tenancy import Quota
from tests.contracts.lease_store import LeaseStoreContract
from tests.contracts.leases import Wait, lease
from tests.valkey_process import ValkeyProcess
from tests.valkey_time import FUNCTIONS_OF_SET_TIME, advance

WIDE = Quota(requests_per_minute=3)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ValkeyProcess]:
    process = ValkeyProcess(tmp_path_factory.mktemp("valkey"))
    process.start()
    asyncio.run(process.ready())
    yield process
    process.kill()


@pytest.fixture
async def client(server: ValkeyProcess) -> AsyncIterator[Redis]:
    client = server.client()
    await client.flushall()
    yield client
    await client.aclose()


async def _store(server: ValkeyProcess) -> AsyncIterator[RedisLeases]:
    store = RedisLeases(LeaseCalls(server.client(), functions=FUNCTIONS_OF_SET_TIME))
    yield store
    await store.close()


class TestRedisLeases(LeaseStoreContract):
    @pytest.fixture
    async def leases(self, server: ValkeyProcess, client: Redis) -> AsyncIterator[RedisLeases]:
        async for store in _store(server):
            yield store

    @pytest.fixture
    async def elsewhere(self, server: ValkeyProcess, client: Redis) -> AsyncIterator[RedisLeases]:
        async for store in _store(server):
            yield store

    @pytest.fixture
    def wait(self, client: Redis) -> Wait:
        async def wait(seconds: float) -> None:
            await advance(client, seconds)

        return wait


async def test_quota_comes_back_at_once_where_the_clock_of_the_server_is_set_back(
    server: ValkeyProcess, client: Redis
) -> None:
    async for store in _store(server):
        for number in range(3):
            await store.reserve(lease(number, quota=WIDE))
        await advance(client, -3_600)
        with pytest.raises(ComptoirError):
            await store.reserve(lease(3, quota=WIDE))
        await advance(client, 20.0)
        assert (await store.reserve(lease(4, quota=WIDE))).remaining_requests == 0
