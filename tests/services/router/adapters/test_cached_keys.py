"""Cached keys keep the contract, ask the store rarely, and never outlive a revocation."""

import asyncio

import pytest

from services.kernel.clock import ManualClock
from services.kernel.errors import ComptoirError, Reason
from services.router.adapters import cached_keys
from services.router.adapters.cached_keys import TRUST_SECONDS, CachedKeys
from services.router.domain.ports import KeyStore
from services.router.domain.tenancy import Key
from tests.contracts.key_store import DIGEST, KeyStoreContract, store_key
from tests.fakes.router import MemoryKeys


class TestCachedKeys(KeyStoreContract):
    @pytest.fixture
    def store(self) -> KeyStore:
        return CachedKeys(MemoryKeys(), ManualClock())


async def test_a_known_key_is_asked_for_once_in_a_second_where_nobody_tells_of_changes() -> None:
    inner, clock = MemoryKeys(), ManualClock()
    cached = CachedKeys(inner, clock)
    await store_key(cached)
    for _ in range(3):
        await cached.find(DIGEST)
        clock.advance(0.33)
    assert inner.finds == 1
    clock.advance(0.2)
    await cached.find(DIGEST)
    assert inner.finds == 2


async def test_a_known_key_is_not_asked_for_again_while_it_is_told_that_nothing_changed() -> None:
    inner, clock = MemoryKeys(), ManualClock()
    cached = CachedKeys(inner, clock)
    await store_key(cached)
    for digest in (DIGEST, b"x" * 32):
        await cached.find(digest)
    for _ in range(100):
        clock.advance(0.9)
        cached.confirm(clock.monotonic_seconds())
        for digest in (DIGEST, b"x" * 32):
            await cached.find(digest)
    assert inner.finds == 2


async def test_a_change_elsewhere_holds_when_it_is_told() -> None:
    inner = MemoryKeys()
    cached = CachedKeys(inner, ManualClock())
    number = (await store_key(cached)).number
    await cached.find(DIGEST)
    await inner.revoke_key(number, 300)
    cached.forget()
    found = await cached.find(DIGEST)
    assert found is not None
    assert found.revoked_at_seconds == 300


async def test_a_revocation_elsewhere_holds_after_a_second_where_nobody_tells() -> None:
    inner, clock = MemoryKeys(), ManualClock()
    cached = CachedKeys(inner, clock)
    number = (await store_key(cached)).number
    cached.confirm(clock.monotonic_seconds())
    await cached.find(DIGEST)
    await inner.revoke_key(number, 300)
    clock.advance(TRUST_SECONDS)
    found = await cached.find(DIGEST)
    assert found is not None
    assert found.revoked_at_seconds == 300


async def test_a_digest_that_nobody_has_is_asked_for_once_in_a_second() -> None:
    inner, clock = MemoryKeys(), ManualClock()
    cached = CachedKeys(inner, clock)
    for _ in range(2):
        assert await cached.find(DIGEST) is None
    assert inner.finds == 1
    clock.advance(TRUST_SECONDS)
    assert await cached.find(DIGEST) is None
    assert inner.finds == 2


async def test_a_key_that_is_created_after_it_was_asked_for_works_at_once() -> None:
    cached = CachedKeys(MemoryKeys(), ManualClock())
    assert await cached.find(DIGEST) is None
    await store_key(cached)
    assert await cached.find(DIGEST) is not None


async def test_a_key_stays_known_when_it_has_changed_and_a_guess_is_never_known() -> None:
    cached = CachedKeys(MemoryKeys(), ManualClock())
    number = (await store_key(cached)).number
    await cached.find(DIGEST)
    await cached.revoke_key(number, 300)
    await cached.find(b"x" * 32)
    assert cached.is_known(DIGEST)
    assert not cached.is_known(b"x" * 32)


async def test_guesses_are_remembered_up_to_a_bound_and_push_no_key_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(cached_keys, "MAX_ABSENT", 3)
    inner = MemoryKeys()
    cached = CachedKeys(inner, ManualClock())
    await store_key(cached)
    await cached.find(DIGEST)
    for number in range(10):
        await cached.find(bytes([number]) * 32)
    assert len(cached._absent) == 3
    finds = inner.finds
    await cached.find(DIGEST)
    assert inner.finds == finds


async def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cached_keys, "MAX_KEYS", 3)
    inner = MemoryKeys()
    cached = CachedKeys(inner, ManualClock())
    digests = [bytes([number]) * 32 for number in range(5)]
    for digest in digests:
        await store_key(cached, digest=digest)
        await cached.find(digest)
    assert len(cached._found) == 3
    finds = inner.finds
    await cached.find(digests[4])
    assert inner.finds == finds


async def test_what_was_read_before_a_revocation_is_not_kept_after_it() -> None:
    inner, may_answer = MemoryKeys(), asyncio.Event()
    read = inner.find

    async def slow(digest: bytes) -> Key | None:
        found = await read(digest)
        await may_answer.wait()
        return found

    cached = CachedKeys(inner, ManualClock())
    number = (await store_key(cached)).number
    inner.find = slow  # type: ignore[method-assign]
    asking = asyncio.create_task(cached.find(DIGEST))
    await asyncio.sleep(0)
    await cached.revoke_key(number, 300)
    may_answer.set()
    await asyncio.wait_for(asking, 5)
    found = await cached.find(DIGEST)
    assert found is not None
    assert found.revoked_at_seconds == 300


class SlowKeys(MemoryKeys):
    """Answers as of when it was asked, once it may."""

    def __init__(self) -> None:
        super().__init__()
        self.may_answer = asyncio.Event()

    async def find(self, digest: bytes) -> Key | None:
        found = await super().find(digest)
        await self.may_answer.wait()
        return found


async def asking(cached: CachedKeys) -> "asyncio.Task[Key | None]":
    task = asyncio.create_task(cached.find(DIGEST))
    await asyncio.sleep(0)
    return task


async def test_many_requests_of_a_key_at_once_are_one_read_that_outlives_who_asked_first() -> None:
    inner = SlowKeys()
    cached = CachedKeys(inner, ManualClock())
    created = await store_key(cached)
    tasks = [await asking(cached) for _ in range(100)]
    tasks.pop(0).cancel()
    inner.may_answer.set()
    assert await asyncio.wait_for(asyncio.gather(*tasks), 5) == [created] * 99
    assert inner.finds == 1


async def test_a_read_from_before_a_change_is_told_to_nobody_who_asks_after_it() -> None:
    inner = SlowKeys()
    cached = CachedKeys(inner, ManualClock())
    number = (await store_key(cached)).number
    before = await asking(cached)
    await cached.revoke_key(number, 300)
    after = await asking(cached)
    inner.may_answer.set()
    await asyncio.wait_for(before, 5)
    revoked = await asyncio.wait_for(after, 5)
    assert revoked is not None
    assert revoked.revoked_at_seconds == 300


async def test_a_read_that_hangs_is_told_to_nobody_who_asks_a_second_later() -> None:
    inner, clock = SlowKeys(), ManualClock()
    cached = CachedKeys(inner, clock)
    number = (await store_key(cached)).number
    first = await asking(cached)
    await inner.revoke_key(number, 300)
    clock.advance(TRUST_SECONDS)
    later = await asking(cached)
    inner.may_answer.set()
    await asyncio.wait_for(first, 5)
    revoked = await asyncio.wait_for(later, 5)
    assert revoked is not None
    assert revoked.revoked_at_seconds == 300
    assert cached._reads == {}


async def test_a_read_that_fails_fails_all_who_wait_and_is_made_again_for_the_next() -> None:
    inner = MemoryKeys()
    cached = CachedKeys(inner, ManualClock())
    created = await store_key(cached)
    find, inner.find = inner.find, unavailable  # type: ignore[method-assign]
    failed = await asyncio.gather(*(cached.find(DIGEST) for _ in range(3)), return_exceptions=True)
    assert [isinstance(failure, ComptoirError) for failure in failed] == [True] * 3
    inner.find = find  # type: ignore[method-assign]
    assert await cached.find(DIGEST) == created


async def unavailable(digest: bytes) -> Key | None:
    del digest
    raise ComptoirError(Reason.UNAVAILABLE)
