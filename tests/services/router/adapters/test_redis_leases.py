"""Leases in a real Valkey keep the contract of all lease stores, by the rights that deployments give."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from services.cli.secrets.layout import lease_store_user
from services.kernel.errors import ComptoirError
from services.kernel.identity import Identity
from services.kernel.quota import QuotaState
from services.router.adapters import lease_calls
from services.router.adapters.lease_calls import LeaseCalls, away
from services.router.adapters.redis_leases import RedisLeases
from services.router.domain.lease import Reservation
from services.router.domain.ports import LeaseStore
from services.router.domain.spending import SubjectKind
from services.router.domain.spending_book import SpendingBook
from services.router.domain.tenancy import Quota
from tests.contracts.lease_records import Anew, LeaseRecordsContract
from tests.contracts.lease_store import LeaseStoreContract
from tests.contracts.leases import Wait, lease, settle
from tests.fakes.spending import MemoryRecords
from tests.valkey_process import ValkeyProcess
from tests.valkey_time import FUNCTIONS_OF_SET_TIME, MILLISECONDS, advance

PASSWORD = "tries-no-lock"
WIDE = Quota(requests_per_minute=3)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ValkeyProcess]:
    folder = tmp_path_factory.mktemp("valkey")
    users = folder / "users.acl"
    # The test itself may do all; routers what a deployment's do, and read the test's clock.
    users.write_text(f"user default on nopass ~* &* +@all\n{lease_store_user(PASSWORD)} %R~{MILLISECONDS}\n")
    process = ValkeyProcess(folder, "--aclfile", str(users))
    process.start()
    asyncio.run(process.ready())
    yield process
    try:
        asyncio.run(nothing_was_refused(process.client()))
    finally:
        process.kill()


async def nothing_was_refused(client: Redis) -> None:
    refused = [(one["reason"], one["object"]) for one in await client.acl_log()]
    await client.aclose()
    assert refused == []


def as_router(server: ValkeyProcess) -> Redis:
    return Redis(
        unix_socket_path=str(server.socket),
        username="comptoir",
        password=PASSWORD,
        socket_timeout=10.0,
        retry=Retry(NoBackoff(), 0),
    )


@pytest.fixture
async def client(server: ValkeyProcess) -> AsyncIterator[Redis]:
    client = server.client()
    await client.flushall()
    yield client
    await client.aclose()


async def _store(server: ValkeyProcess, records: MemoryRecords | None = None) -> AsyncIterator[RedisLeases]:
    calls = LeaseCalls(as_router(server), functions=FUNCTIONS_OF_SET_TIME)
    store = RedisLeases(calls, SpendingBook(records))
    yield store
    await store.close()


class Forgetful:
    """The store of another router, after the server has lost its memory."""

    def __init__(self, client: Redis, store: RedisLeases) -> None:
        self._client = client
        self._store = store
        self._has_forgotten = False

    async def reserve(self, reservation: Reservation) -> QuotaState:
        if not self._has_forgotten:
            self._has_forgotten = True
            await self._client.flushall()
        return await self._store.reserve(reservation)


class TestRedisLeases(LeaseStoreContract, LeaseRecordsContract):
    @pytest.fixture
    def records(self) -> MemoryRecords:
        return MemoryRecords()

    @pytest.fixture
    async def leases(
        self, server: ValkeyProcess, client: Redis, records: MemoryRecords
    ) -> AsyncIterator[RedisLeases]:
        async for store in _store(server, records):
            yield store

    @pytest.fixture
    async def elsewhere(
        self, server: ValkeyProcess, client: Redis, records: MemoryRecords
    ) -> AsyncIterator[RedisLeases]:
        async for store in _store(server, records):
            yield store

    @pytest.fixture
    def anew(self, client: Redis, elsewhere: RedisLeases) -> Anew:
        return lambda: Forgetful(client, elsewhere)  # type: ignore[return-value] # what is asked of it

    async def written(self, leases: LeaseStore) -> None:
        assert isinstance(leases, RedisLeases)
        await leases._spending._book.write()

    @pytest.fixture
    def set_clock(self, wait: Wait) -> Wait:
        return wait

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


async def test_what_more_keys_spent_than_calls_may_wait_is_written_once_the_records_are_there(
    server: ValkeyProcess, client: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease_calls, "_MOST_WAITING", 300)
    records = MemoryRecords(is_away=True)
    async for store in _store(server, records):
        for first in range(1, 601, 100):
            await asyncio.gather(*(settle(store, one, 5, key=one) for one in range(first, first + 100)))
        await store.expire()
        records.is_away = False
        await store.expire()
        await store._spending._book.write()
    days = {window.subject.number for window in records.noted if window.subject.kind is SubjectKind.KEY}
    assert len(days) == 600


class Unheard(LeaseCalls):
    """Calls that are not made, or made and their answers lost, while that is said."""

    is_away = is_lost = False

    async def call(self, function: str, partition: int, *args: str | bytes | int) -> Any:
        answer = None if self.is_away else await super().call(function, partition, *args)
        if self.is_away or self.is_lost:
            raise away()
        return answer


async def test_a_reservation_whose_answer_was_lost_is_undone_once_the_server_answers(
    server: ValkeyProcess, client: Redis
) -> None:
    calls = Unheard(server.client(), functions=FUNCTIONS_OF_SET_TIME)
    store = RedisLeases(calls)
    only = Quota(requests_per_minute=1, concurrency=1)
    calls.is_lost = True
    for wait in (store.reserve(lease(1, quota=only)), store.expire()):
        with pytest.raises(ComptoirError):
            await wait
    calls.is_lost = False
    await store.expire()
    await store.reserve(lease(2, quota=only))
    await store.close()


async def test_a_reservation_that_is_asked_for_again_is_not_undone(
    server: ValkeyProcess, client: Redis
) -> None:
    calls = Unheard(server.client(), functions=FUNCTIONS_OF_SET_TIME)
    store = RedisLeases(calls)
    only = Quota(requests_per_minute=1, concurrency=1)
    calls.is_lost = True
    with pytest.raises(ComptoirError):
        await store.reserve(lease(1, quota=only))
    calls.is_lost = False
    await store.reserve(lease(1, quota=only))
    assert await store.expire() == []
    with pytest.raises(ComptoirError):
        await store.reserve(lease(2, quota=only))
    await store.close()


async def test_what_was_to_be_undone_while_the_server_was_away_is_undone_later(
    server: ValkeyProcess, client: Redis
) -> None:
    calls = Unheard(server.client(), functions=FUNCTIONS_OF_SET_TIME)
    store = RedisLeases(calls)
    only = Quota(requests_per_minute=1, concurrency=1)
    await store.reserve(lease(1, quota=only))
    calls.is_away = True
    assert await store.cancel(Identity(0, 1)) is None
    calls.is_away = False
    assert [freed.holder for freed in await store.expire()] == [Identity(0, 1)]
    await store.reserve(lease(2, quota=only))
    await store.close()


@pytest.mark.parametrize("is_cancelled", [True, False])
async def test_what_a_router_lent_by_itself_is_not_undone_where_telling_it_is_broken_off(
    server: ValkeyProcess, client: Redis, is_cancelled: bool
) -> None:
    calls = Unheard(server.client(), functions=FUNCTIONS_OF_SET_TIME)
    store = RedisLeases(calls)
    only = Quota(requests_per_minute=1, concurrency=1)
    calls.is_lost = not is_cancelled
    telling = asyncio.create_task(store.reserve(replace(lease(1, quota=only), is_lent=True)))
    await asyncio.sleep(0)
    if is_cancelled:
        telling.cancel()
    await asyncio.wait([telling])
    calls.is_lost = False
    assert await store.expire() == []
    await store.reserve(replace(lease(1, quota=only), is_lent=True))
    with pytest.raises(ComptoirError):
        await store.reserve(lease(2, quota=only))
    await store.close()
