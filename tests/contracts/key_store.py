"""What every key store promises; a test module gives a fixture `store` and inherits this class."""

import asyncio

import pytest

from services.kernel.errors import ComptoirError, Reason
from services.router.domain.ports import KeyStore
from services.router.domain.tenancy import UNLIMITED, Key, NewKey, Priority, Quota

DIGEST = bytes(range(32))


def new_key(**fields: object) -> NewKey:
    values = {
        "tenant_name": "acme",
        "digest": DIGEST,
        "label": "first",
        "models": (2, 1),
        "quota": Quota(requests_per_minute=60, tokens_per_minute=4_000_000_000, concurrency=3),
        "created_at_seconds": 100,
        "expires_at_seconds": 200,
        "best_priority": Priority.BATCH,
        **fields,
    }
    return NewKey(**values)  # type: ignore[arg-type]


async def store_key(store: KeyStore, **fields: object) -> Key:
    if not await store.list_tenants():
        await store.create_tenant("acme", 1, 50)
    return await store.create_key(new_key(**fields))


class KeyStoreContract:
    async def test_a_key_is_found_by_its_digest_with_all_that_was_stored(self, store: KeyStore) -> None:
        created = await store_key(store)
        found = await store.find(DIGEST)
        assert found == created
        assert found is not None
        assert (found.tenant.name, found.tenant.home_region, found.tenant.created_at_seconds) == (
            "acme",
            1,
            50,
        )
        assert found.best_priority is Priority.BATCH
        assert (found.models, found.quota) == (
            frozenset({1, 2}),
            Quota(requests_per_minute=60, tokens_per_minute=4_000_000_000, concurrency=3),
        )
        assert (found.created_at_seconds, found.expires_at_seconds, found.revoked_at_seconds) == (100, 200, 0)

    async def test_another_digest_finds_nothing(self, store: KeyStore) -> None:
        await store_key(store)
        assert await store.find(bytes(32)) is None
        assert await store.find(DIGEST[:31]) is None

    async def test_a_tenants_name_is_taken_once(self, store: KeyStore) -> None:
        await store.create_tenant("acme", 1, 50)
        with pytest.raises(ComptoirError) as refusal:
            await store.create_tenant("acme", 2, 51)
        assert refusal.value.reason is Reason.ALREADY_EXISTS
        assert [tenant.home_region for tenant in await store.list_tenants()] == [1]

    async def test_tenants_are_listed_by_number(self, store: KeyStore) -> None:
        numbers = [(await store.create_tenant(name, 1, 50)).number for name in ("zulu", "acme")]
        listed = await store.list_tenants()
        assert [tenant.number for tenant in listed] == sorted(numbers)
        assert [tenant.name for tenant in listed] == ["zulu", "acme"]

    async def test_a_tenant_has_a_quota_that_its_keys_know(self, store: KeyStore) -> None:
        quota = Quota(
            requests_per_minute=1,
            tokens_per_minute=2**32 - 1,
            concurrency=3,
            tokens_per_day=2**48 - 1,
            tokens_per_month=2**48 - 1,
            money_per_month_cents=899_999_999,
        )
        created = await store.create_tenant("acme", 1, 50, quota)
        key = await store_key(store, quota=quota)
        assert (created.quota, key.quota, key.tenant.quota) == (quota, quota, quota)
        larger = Quota(tokens_per_day=5)
        changes = await store.change_number()
        assert (await store.limit_tenant("acme", larger)).quota == larger
        assert await store.change_number() > changes
        found = await store.find(DIGEST)
        assert found is not None
        assert (found.tenant.quota, found.quota) == (larger, quota)
        assert (await store.tenant("acme")).quota == larger

    async def test_a_tenant_without_a_quota_has_no_limit(self, store: KeyStore) -> None:
        assert (await store.create_tenant("acme", 1, 50)).quota == UNLIMITED

    async def test_a_tenant_that_does_not_exist_gets_no_quota(self, store: KeyStore) -> None:
        with pytest.raises(ComptoirError) as refusal:
            await store.limit_tenant("nobody", UNLIMITED)
        assert (refusal.value.reason, refusal.value.field) == (Reason.NOT_FOUND, "tenant")

    async def test_a_key_needs_its_tenant(self, store: KeyStore) -> None:
        with pytest.raises(ComptoirError) as refusal:
            await store.create_key(new_key())
        assert (refusal.value.reason, refusal.value.field) == (Reason.NOT_FOUND, "tenant")

    async def test_a_digest_is_stored_once(self, store: KeyStore) -> None:
        await store_key(store)
        with pytest.raises(ComptoirError) as refusal:
            await store_key(store, label="second")
        assert refusal.value.reason is Reason.ALREADY_EXISTS

    async def test_keys_are_listed_of_one_tenant_or_of_all(self, store: KeyStore) -> None:
        first = await store_key(store)
        await store.create_tenant("other", 1, 50)
        second = await store_key(store, tenant_name="other", digest=bytes(32), models=())
        assert await store.list_keys(None) == [first, second]
        assert await store.list_keys("other") == [second]
        assert second.models == frozenset()

    async def test_keys_of_an_unknown_tenant_are_not_found(self, store: KeyStore) -> None:
        with pytest.raises(ComptoirError) as refusal:
            await store.list_keys("nobody")
        assert refusal.value.reason is Reason.NOT_FOUND

    async def test_a_revoked_key_is_found_as_revoked_from_the_first_time_on(self, store: KeyStore) -> None:
        number = (await store_key(store)).number
        await store.revoke_key(number, 300)
        assert (await store.revoke_key(number, 400)).revoked_at_seconds == 300
        found = await store.find(DIGEST)
        assert found is not None
        assert found.revoked_at_seconds == 300

    async def test_an_unknown_key_cannot_be_revoked(self, store: KeyStore) -> None:
        with pytest.raises(ComptoirError) as refusal:
            await store.revoke_key(12345, 300)
        assert refusal.value.reason is Reason.NOT_FOUND

    async def test_concurrent_calls_all_succeed(self, store: KeyStore) -> None:
        await store_key(store)
        names = [f"tenant-{number}" for number in range(8)]
        await asyncio.gather(
            *(store.create_tenant(name, 1, 50) for name in names), *(store.find(DIGEST) for _ in range(8))
        )
        assert {tenant.name for tenant in await store.list_tenants()} == {"acme", *names}
