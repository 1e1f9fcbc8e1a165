"""What one router changes of a key holds on every other within a second, whatever the store."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import pytest

from services.kernel.clock import ManualClock
from services.kernel.errors import ComptoirError, Reason
from services.router.adapters import key_change_log, key_changes
from services.router.adapters.cached_keys import TRUST_SECONDS, CachedKeys
from services.router.adapters.key_changes import LOOK_SECONDS, MOST_FORGOTTEN, ChangeCounter, KeyChanges
from services.router.adapters.key_database import on_file, on_postgres
from services.router.adapters.sql_keys import SqlKeys
from services.router.domain.ports import KeyStore
from services.router.domain.tenancy import Changes, KeyChange, Quota
from tests.contracts.engine_requests import until
from tests.contracts.key_store import DIGEST, store_key
from tests.fakes.keys import MemoryKeys
from tests.postgres import Database
from tests.services.runtime.metrics.collecting import collected


class SharedKeys(KeyStore, ChangeCounter, Protocol):
    """A key store that tells what changed."""


class KeyChangesContract:
    """Inherit it with a fixture `stores`: one store as two routers open it."""

    async def test_a_change_by_another_router_holds_after_the_next_look(
        self, stores: tuple[SharedKeys, SharedKeys]
    ) -> None:
        here, elsewhere = stores
        clock = ManualClock()
        cached = CachedKeys(here, clock)
        changes = KeyChanges(here, cached, clock)
        number = (await store_key(elsewhere)).number
        await changes.look()
        before = await cached.find(DIGEST)
        assert before is not None
        await elsewhere.change_key(number, KeyChange(quota=Quota(concurrency=3)))
        assert await cached.find(DIGEST) == before
        await changes.look()
        changed = await cached.find(DIGEST)
        assert changed is not None
        assert changed.quota.concurrency == 3
        await elsewhere.revoke_key(number, 300)
        await changes.look()
        revoked = await cached.find(DIGEST)
        assert revoked is not None
        assert revoked.revoked_at_seconds == 300
        await elsewhere.delete_key(number)
        await changes.look()
        assert await cached.find(DIGEST) is None

    async def test_a_key_that_another_router_creates_is_known_after_the_next_look(
        self, stores: tuple[SharedKeys, SharedKeys]
    ) -> None:
        here, elsewhere = stores
        clock = ManualClock()
        cached = CachedKeys(here, clock)
        changes = KeyChanges(here, cached, clock)
        await changes.look()
        assert await cached.find(DIGEST) is None
        assert not cached.is_known(DIGEST)
        number = (await store_key(elsewhere)).number
        await elsewhere.rotate_key(number, b"n" * 32, 10_000)
        await changes.look()
        assert all(cached.is_known(digest) for digest in (DIGEST, b"n" * 32))
        assert await cached.find(DIGEST) is not None

    async def test_as_long_as_nothing_changes_nothing_is_read_again(
        self, stores: tuple[SharedKeys, SharedKeys]
    ) -> None:
        here, elsewhere = stores
        clock = ManualClock()
        cached = CachedKeys(here, clock)
        changes = KeyChanges(here, cached, clock)
        await store_key(elsewhere)
        await changes.look()
        first = await cached.find(DIGEST)
        for _ in range(20):
            clock.advance(LOOK_SECONDS)
            await changes.look()
            assert await cached.find(DIGEST) is first

    async def test_of_many_keys_only_those_that_changed_are_read_again(
        self, stores: tuple[SharedKeys, SharedKeys]
    ) -> None:
        here, elsewhere = stores
        clock = ManualClock()
        cached = CachedKeys(here, clock)
        changes = KeyChanges(here, cached, clock)
        digests = [bytes([at]) * 32 for at in range(1, 7)]
        keys = [await store_key(elsewhere, digest=digest) for digest in digests[:4]]
        await elsewhere.create_tenant("beta", 1, 50)
        keys += [await store_key(elsewhere, tenant_name="beta", digest=digest) for digest in digests[4:]]
        await changes.look()
        known = [await cached.find(digest) for digest in digests]

        async def read_again() -> list[int]:
            await changes.look()
            found = [await cached.find(digest) for digest in digests]
            again = [at for at, (new, old) in enumerate(zip(found, known, strict=True)) if new is not old]
            known[:] = found
            return again

        await elsewhere.change_key(keys[1].number, KeyChange(label="other"))
        assert await read_again() == [1]
        await elsewhere.rotate_key(keys[0].number, b"n" * 32, 10_000)
        await elsewhere.revoke_key(keys[2].number, 300)
        assert await read_again() == [0, 2]
        await elsewhere.delete_key(keys[3].number)
        assert await read_again() == [3]
        assert known[3] is None
        await elsewhere.disable_tenant("beta", is_disabled=True)
        assert await read_again() == [4, 5]
        await elsewhere.create_tenant("gamma", 1, 50)
        assert await read_again() == []

    async def test_what_is_not_told_one_by_one_is_forgotten_whole(
        self, stores: tuple[SharedKeys, SharedKeys]
    ) -> None:
        here, elsewhere = stores
        number = (await store_key(elsewhere)).number
        await elsewhere.change_key(number, KeyChange(label="other"))
        latest = await here.change_number()
        one = await here.changes_since(latest - 1, 1)
        assert (one.number, one.keys, one.is_told) == (latest, frozenset({number}), True)
        assert list(one.digests) == [DIGEST]
        assert (await here.changes_since(latest, 1)).is_told
        for since, most in ((latest - 2, 1), (latest + 1, 9), (-5, 99)):
            assert not (await here.changes_since(since, most)).is_told


class TestChangesInMemory(KeyChangesContract):
    @pytest.fixture
    def stores(self) -> tuple[SharedKeys, SharedKeys]:
        store = MemoryKeys()
        return store, store


class TestChangesInSqlite(KeyChangesContract):
    @pytest.fixture
    def stores(self, tmp_path: Path) -> Iterator[tuple[SharedKeys, SharedKeys]]:
        here, elsewhere = (SqlKeys(on_file(tmp_path / "router.sqlite")) for _ in range(2))
        yield here, elsewhere
        here.close()
        elsewhere.close()


class TestChangesInPostgres(KeyChangesContract):
    @pytest.fixture
    def stores(self, database: Database) -> Iterator[tuple[SharedKeys, SharedKeys]]:
        here, elsewhere = (SqlKeys(on_postgres(database.url, database.password_file)) for _ in range(2))
        yield here, elsewhere
        here.close()
        elsewhere.close()


def test_a_look_comes_often_enough_for_what_is_promised() -> None:
    # One look may fail, and the next one still comes before what is remembered ends.
    assert 3 * LOOK_SECONDS < TRUST_SECONDS <= 1.0


class Broken(MemoryKeys):
    """A store whose changes can be made unreadable."""

    failure: ComptoirError | None = None

    async def change_number(self) -> int:
        if self.failure is not None:
            raise self.failure
        return await super().change_number()


async def test_while_changes_cannot_be_seen_nothing_is_believed_for_longer_than_a_second() -> None:
    store, clock = Broken(), ManualClock()
    cached = CachedKeys(store, clock)
    changes = KeyChanges(store, cached, clock)
    number = (await store_key(store)).number
    await changes.look()
    await cached.find(DIGEST)
    store.failure = ComptoirError(Reason.UNAVAILABLE)
    await store.revoke_key(number, 300)
    for _ in range(5):
        await changes.look()
        clock.advance(LOOK_SECONDS)
    found = await cached.find(DIGEST)
    assert found is not None
    assert found.revoked_at_seconds == 300


async def test_what_changed_while_changes_could_not_be_seen_holds_as_soon_as_they_can() -> None:
    store, clock = Broken(), ManualClock()
    cached = CachedKeys(store, clock)
    changes = KeyChanges(store, cached, clock)
    number = (await store_key(store)).number
    await changes.look()
    await cached.find(DIGEST)
    store.failure = ComptoirError(Reason.UNAVAILABLE)
    await changes.look()
    await store.revoke_key(number, 300)
    store.failure = None
    await changes.look()
    found = await cached.find(DIGEST)
    assert found is not None
    assert found.revoked_at_seconds == 300


async def test_looks_go_on_behind_one_that_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_changes, "LOOK_SECONDS", 0.001)
    store, clock = Broken(), ManualClock()
    store.failure = ComptoirError(Reason.UNAVAILABLE)
    cached = CachedKeys(store, clock)
    following = asyncio.create_task(KeyChanges(store, cached, clock).follow())
    await asyncio.sleep(0)
    await store_key(store)
    store.failure = None
    await until(lambda: cached.is_known(DIGEST), 5)
    following.cancel()
    await asyncio.wait([following])


async def test_a_change_of_a_router_that_keeps_no_log_has_everything_be_read_again(tmp_path: Path) -> None:
    engine = on_file(tmp_path / "router.sqlite")
    store, clock = SqlKeys(engine), ManualClock()
    cached = CachedKeys(store, clock)
    changes = KeyChanges(store, cached, clock)
    await store_key(store)
    await changes.look()
    await cached.find(DIGEST)
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE keys SET is_disabled = 1")
        connection.exec_driver_sql("UPDATE key_changes SET number = number + 1")
    await store.create_tenant("beta", 1, 50)
    await changes.look()
    found = await cached.find(DIGEST)
    assert found is not None
    assert found.is_disabled
    store.close()


async def test_the_log_of_changes_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_change_log, "MOST_LOGGED", 3)
    store = SqlKeys(on_file(tmp_path / "router.sqlite"))
    number = (await store_key(store)).number
    for label in "abcdefgh":
        await store.change_key(number, KeyChange(label=label))
    latest = await store.change_number()
    assert (await store.changes_since(latest - 3, MOST_FORGOTTEN)).is_told
    assert not (await store.changes_since(latest - 4, MOST_FORGOTTEN)).is_told
    store.close()


async def test_the_time_since_the_last_look_that_was_answered_is_a_metric() -> None:
    clock, keys = ManualClock(), _Silent()
    with collected() as shown:
        changes = KeyChanges(keys, CachedKeys(MemoryKeys(), clock), clock)
        clock.advance(3)
        age = "comptoir.router.key_changes_age"
        assert shown.value(age) == 3
        await changes.look()
        assert shown.value(age) == 0
        keys.is_silent = True
        clock.advance(7)
        await changes.look()
        assert shown.value(age) == 7
        assert shown.value("comptoir.router.key_changes_unseen") == 1


class _Silent:
    is_silent = False

    async def change_number(self) -> int:
        if self.is_silent:
            raise ComptoirError(Reason.KEYS_UNAVAILABLE)
        return 0

    async def changes_since(self, number: int, most: int) -> Changes:
        return Changes(0, is_told=True)
