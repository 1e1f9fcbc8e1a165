"""What the shared store cannot read of one account is refused alone: the store is there for all others."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import structlog

from services.kernel.clock import ManualClock
from services.kernel.errors import Reason
from services.kernel.identity import Identity
from services.router.adapters.lease_calls import LeaseCalls
from services.router.adapters.local_share_leases import LocalShareLeases
from services.router.adapters.redis_leases import RedisLeases
from services.router.domain.lease import Reservation
from services.router.domain.spending_book import SpendingBook
from services.router.domain.tenancy import Quota
from tests.contracts.leases import accept, lease, process, refusal_of, reserve, settle, sign
from tests.valkey_process import ValkeyProcess

# No table; a table without its fields; a number.
RUBBISH = (b"\xc1rubbish", b"\x80", b"\x07")
LIMITED = Quota(concurrency=9)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ValkeyProcess]:
    process = ValkeyProcess(Path(tmp_path_factory.mktemp("valkey")))
    process.start()
    yield process
    process.kill()


@pytest.fixture
async def store(server: ValkeyProcess) -> AsyncIterator[LocalShareLeases]:
    await server.ready()
    client = server.client()
    await client.flushall()
    sharing = LocalShareLeases(RedisLeases(LeaseCalls(client)), ManualClock(), routers=1)
    yield sharing
    await sharing.close()


async def _break(server: ValkeyProcess, key: int, rubbish: bytes | None) -> None:
    """Replaces what is stored of a key's account, by another type where nothing is given."""
    client = server.client()
    names = [name async for name in client.scan_iter(match=f"*key*:{key}")]
    assert len(names) == 1, [name async for name in client.scan_iter()]
    if rubbish is None:
        await client.delete(*names)
        await client.sadd(names[0], "rubbish")
    else:
        await client.set(names[0], rubbish)
    await client.aclose()


@pytest.mark.parametrize("rubbish", [*RUBBISH, None])
async def test_an_account_that_cannot_be_read_is_refused_and_no_share_is_lent(
    server: ValkeyProcess, store: LocalShareLeases, rubbish: bytes | None
) -> None:
    await store.reserve(lease(1, key=8, quota=LIMITED))
    await store.reserve(lease(2, key=9, quota=LIMITED))
    await _break(server, 8, rubbish)
    with structlog.testing.capture_logs() as said:
        for number in (3, 4):
            refusal = await refusal_of(store, lease(number, key=8, quota=LIMITED))
            assert refusal.reason is Reason.QUOTA_UNAVAILABLE
        await store.reserve(lease(5, key=9, quota=LIMITED))
        await store.expire()
    told = [(line["event"], line["kind"]) for line in said]
    assert told == [("lease_function_failed", "unreadable_value")], "once in half a minute"
    assert store.lent_here == 0


async def test_what_ended_is_found_although_a_lease_of_another_tenant_cannot_be_read(
    server: ValkeyProcess, store: LocalShareLeases
) -> None:
    await reserve(store, 1)
    client = server.client()
    (name,) = [name async for name in client.scan_iter(match="*lease:*")]
    await client.set(name, b"\xc1rubbish")
    (ends,) = [name async for name in client.scan_iter(match="*ends")]
    (member,) = await client.zrange(ends, 0, -1)
    assert isinstance(member, bytes)
    await client.zadd(ends, {member: 1})
    await client.aclose()
    with structlog.testing.capture_logs() as said:
        await store.expire()
    assert [line["event"] for line in said] == ["lease_function_failed"]


def _over(number: int) -> Reservation:
    """A reservation that ends as it is made, of a key of the same number."""
    return replace(lease(number, key=number, quota=LIMITED), lasts_seconds=0.0)


async def _spoil(server: ValkeyProcess, number: int) -> None:
    """Replaces what is stored of a lease, and has it stand before all others that end."""
    client = server.client()
    lease_id = Identity(0, number).hex
    (name,) = [one async for one in client.scan_iter(match=f"*lease:{lease_id}")]
    (ends,) = [one async for one in client.scan_iter(match="*ends")]
    await client.set(name, b"\xc1rubbish")
    await client.zadd(ends, {lease_id: 1})
    await client.aclose()


async def test_a_lease_that_cannot_be_read_keeps_no_other_from_its_end(
    server: ValkeyProcess, store: LocalShareLeases
) -> None:
    for number in (1, 2, 3):
        await store.reserve(_over(number))
    await _spoil(server, 2)
    with structlog.testing.capture_logs() as said:
        freed = await store.expire()
        assert sorted(one.payer.key for one in freed) == [1, 3]
        assert await store.expire() == [], "it is not tried again at once"
    assert [(line["event"], line["kind"]) for line in said] == [("lease_function_failed", "unreadable_value")]


@pytest.mark.parametrize("rubbish", [*RUBBISH, None])
async def test_a_lease_of_an_account_that_cannot_be_read_keeps_no_other_from_its_end(
    server: ValkeyProcess, store: LocalShareLeases, rubbish: bytes | None
) -> None:
    for number in (1, 2, 3):
        await store.reserve(_over(number))
    await _break(server, 1, rubbish)
    assert sorted(one.payer.key for one in await store.expire()) == [2, 3]


async def test_a_process_that_is_gone_is_lost_although_one_of_its_leases_cannot_be_read(
    server: ValkeyProcess, store: LocalShareLeases
) -> None:
    """Else each look for what ended began with that process, and found nothing of any tenant."""
    for number in (1, 2, 3):
        await store.reserve(lease(number, key=number, quota=LIMITED))
        await sign(store, number, 1)
        await accept(store, number)
    await _spoil(server, 2)
    assert sorted(one.payer.key for one in await store.lose(process())) == [1, 3]


async def test_what_was_spent_before_is_learnt_of_all_whose_account_can_be_read(
    server: ValkeyProcess,
) -> None:
    """Of an account that the server forgot nothing is written until it knows what was before."""
    await server.ready()
    book, client = SpendingBook(), server.client()
    await client.flushall()
    leases = RedisLeases(LeaseCalls(client), book)
    for number in (1, 2, 3):
        await settle(leases, number, 100, key=number)
    await _break(server, 1, b"\xc1rubbish")
    assert book.waiting == 0
    await leases.expire()
    assert book.waiting == 3, "both keys and the tenant"
    await client.aclose()
