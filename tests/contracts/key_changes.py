"""What every key store promises of changes; a test module gives a fixture `store` and inherits this class."""

from collections.abc import Awaitable, Callable

import pytest

from services.kernel.errors import ComptoirError, Reason
from services.router.domain.ports import KeyStore
from services.router.domain.tenancy import Endpoint, KeyChange, Page, Priority, Quota
from tests.contracts.key_store import DIGEST, store_key

SECOND, THIRD = bytes([2] * 32), bytes([3] * 32)


async def refusal_of(call: Awaitable[object]) -> tuple[Reason, str]:
    with pytest.raises(ComptoirError) as refusal:
        await call
    return refusal.value.reason, refusal.value.field


class KeyChangesContract:
    async def test_what_a_change_names_becomes_different_and_the_rest_stays(self, store: KeyStore) -> None:
        before = await store_key(store)
        changes = [
            KeyChange(label="second"),
            KeyChange(models=(3, 1)),
            KeyChange(endpoints=(Endpoint.EMBEDDINGS, Endpoint.DIRECT)),
            KeyChange(regions=(7,)),
            KeyChange(quota=Quota(concurrency=9)),
            KeyChange(best_priority=Priority.INTERACTIVE),
            KeyChange(expires_at_seconds=0),
            KeyChange(is_disabled=True),
        ]
        for change in changes:
            changed = await store.change_key(before.number, change)
        assert changed == await store.find(DIGEST) == await store.key(before.number)
        assert (changed.label, changed.models, changed.regions) == (
            "second",
            frozenset({1, 3}),
            frozenset({7}),
        )
        assert changed.endpoints == frozenset({Endpoint.EMBEDDINGS, Endpoint.DIRECT})
        assert changed.quota == Quota(concurrency=9)
        assert (changed.best_priority, changed.expires_at_seconds) == (Priority.INTERACTIVE, 0)
        assert changed.is_disabled
        assert (changed.number, changed.tenant, changed.created_at_seconds) == (
            before.number,
            before.tenant,
            before.created_at_seconds,
        )

    async def test_a_scope_is_lifted_by_an_empty_one(self, store: KeyStore) -> None:
        number = (await store_key(store, endpoints=(Endpoint.COUNTS,), regions=(1, 2))).number
        lifted = await store.change_key(number, KeyChange(models=(), endpoints=(), regions=()))
        assert (lifted.models, lifted.endpoints, lifted.regions) == (frozenset(), frozenset(), frozenset())

    async def test_after_a_rotation_both_secrets_find_the_key_and_the_one_before_them_does_not(
        self, store: KeyStore
    ) -> None:
        number = (await store_key(store)).number
        once = await store.rotate_key(number, SECOND, 500)
        assert await store.find(DIGEST) == await store.find(SECOND) == once
        assert (once.digest, once.previous_digest, once.previous_until_seconds) == (SECOND, DIGEST, 500)
        twice = await store.rotate_key(number, THIRD, 600)
        assert await store.find(DIGEST) is None
        assert await store.find(SECOND) == await store.find(THIRD) == twice

    async def test_an_overlap_that_is_not_over_refuses_a_rotation_that_must_not_end_it(
        self, store: KeyStore
    ) -> None:
        number = (await store_key(store)).number
        once = await store.rotate_key(number, SECOND, 500, not_taken_at_seconds=100)
        with pytest.raises(ComptoirError) as refusal:
            await store.rotate_key(number, THIRD, 600, not_taken_at_seconds=499)
        assert (refusal.value.reason, refusal.value.numbers.limit) == (Reason.OVERLAP_NOT_OVER, 500)
        assert await store.find(DIGEST) == await store.find(SECOND) == once
        twice = await store.rotate_key(number, THIRD, 600, not_taken_at_seconds=500)
        assert await store.find(SECOND) == await store.find(THIRD) == twice
        await store.rotate_key(number, DIGEST, 700)
        assert await store.find(SECOND) is None

    async def test_a_deleted_key_is_gone_and_its_number_is_never_given_again(self, store: KeyStore) -> None:
        first = await store_key(store)
        last = await store_key(store, digest=SECOND, endpoints=(Endpoint.COUNTS,), regions=(1,))
        assert await store.delete_key(last.number) == last
        assert await store.find(SECOND) is None
        assert await store.list_keys(None) == [first]
        assert (await store_key(store, digest=THIRD)).number > last.number

    async def test_a_tenant_is_deleted_once_it_has_no_keys_and_its_number_is_never_given_again(
        self, store: KeyStore
    ) -> None:
        key = await store_key(store)
        assert await refusal_of(store.delete_tenant("acme")) == (Reason.TENANT_HAS_KEYS, "")
        assert await store.find(DIGEST) == key
        await store.delete_key(key.number)
        assert await store.delete_tenant("acme") == key.tenant
        assert list(await store.list_tenants()) == []
        assert (await store.create_tenant("acme", 1, 60)).number > key.tenant.number

    async def test_a_disabled_tenant_shows_in_its_keys_until_it_is_enabled(self, store: KeyStore) -> None:
        await store_key(store)
        for is_disabled in (True, True, False):
            tenant = await store.disable_tenant("acme", is_disabled=is_disabled)
            found = await store.find(DIGEST)
            assert found is not None
            assert found.tenant == tenant == await store.tenant("acme")
            assert tenant.is_disabled is is_disabled

    async def test_pages_begin_behind_a_number_and_have_no_more_than_was_asked_for(
        self, store: KeyStore
    ) -> None:
        keys = [await store_key(store, digest=bytes([at] * 32)) for at in range(5)]
        tenants = [key.tenant for key in keys[:1]]
        tenants += [await store.create_tenant(name, 1, 50) for name in ("beta", "gamma")]
        assert await store.list_keys(None, Page(after=keys[1].number, most=2)) == keys[2:4]
        assert await store.list_keys("acme", Page(after=keys[3].number, most=2)) == keys[4:]
        assert await store.list_keys("beta", Page(most=2)) == []
        assert await store.list_tenants(Page(after=tenants[0].number, most=1)) == tenants[1:2]
        some = frozenset({keys[1].number, keys[3].number, 12345})
        assert await store.list_keys(None, Page(numbers=some)) == [keys[1], keys[3]]
        assert await store.list_keys(None, Page(after=keys[1].number, numbers=some)) == [keys[3]]
        only = frozenset({tenants[2].number})
        assert await store.list_tenants(Page(most=9, numbers=only)) == tenants[2:]

    async def test_last_uses_go_on_and_never_back(self, store: KeyStore) -> None:
        number = (await store_key(store)).number
        await store.note_uses({number: 7200, 12345: 7200})
        await store.note_uses({number: 3600})
        assert (await store.key(number)).last_used_seconds == 7200

    async def test_every_change_is_seen_by_its_number_and_a_use_is_none(self, store: KeyStore) -> None:
        key = await store_key(store)
        steps: list[Callable[[], Awaitable[object]]] = [
            lambda: store.create_tenant("beta", 1, 50),
            lambda: store.disable_tenant("beta", is_disabled=True),
            lambda: store.delete_tenant("beta"),
            lambda: store_key(store, digest=SECOND),
            lambda: store.change_key(key.number, KeyChange(label="other")),
            lambda: store.rotate_key(key.number, THIRD, 1),
            lambda: store.revoke_key(key.number, 300),
            lambda: store.delete_key(key.number),
        ]
        for step in steps:
            before = await store.change_number()
            await step()
            assert await store.change_number() > before
        before = await store.change_number()
        await store.note_uses({key.number: 3600})
        await store.find(DIGEST)
        assert await store.change_number() == before

    async def test_what_does_not_exist_is_not_found(self, store: KeyStore) -> None:
        for call in (
            store.key(12345),
            store.change_key(12345, KeyChange(label="x")),
            store.rotate_key(12345, SECOND, 1),
            store.delete_key(12345),
        ):
            assert await refusal_of(call) == (Reason.NOT_FOUND, "number")
        for tenant in (
            store.tenant("nobody"),
            store.disable_tenant("nobody", is_disabled=True),
            store.delete_tenant("nobody"),
        ):
            assert await refusal_of(tenant) == (Reason.NOT_FOUND, "tenant")
