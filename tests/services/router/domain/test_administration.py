"""Operators create tenants and keys by names of the catalog; a key's text is known once."""

from typing import Any

import pytest

from services.kernel.api_keys import region_of
from services.kernel.clock import ManualClock
from services.kernel.errors import ComptoirError, Reason
from services.kernel.quota import Spending
from services.router.domain.administration import (
    Administration,
    KeyOrder,
    spending_of,
    spending_of_all,
)
from services.router.domain.keys import digest_of
from services.router.domain.tenancy import Priority, Quota
from tests.fakes.router import CATALOG, FRANCE, PEPPER, MemoryKeys

DEFAULT = Quota(requests_per_minute=1, tokens_per_minute=2, concurrency=3)


@pytest.fixture
def keys() -> MemoryKeys:
    return MemoryKeys()


@pytest.fixture
def administration(keys: MemoryKeys) -> Administration:
    return Administration(
        keys, catalog=CATALOG, region=FRANCE, pepper=PEPPER, default_quota=DEFAULT, clock=ManualClock()
    )


def order(**fields: Any) -> KeyOrder:
    values = {
        "tenant_name": "acme",
        "label": "l",
        "model_names": (),
        "quota": None,
        "expires_at_seconds": 0,
        **fields,
    }
    return KeyOrder(**values)


async def test_a_tenants_home_is_the_routers_region_or_the_named_one(administration: Administration) -> None:
    assert (await administration.create_tenant("acme", "")).home_region == 1
    assert (await administration.create_tenant("other", "eu-de")).home_region == 2
    assert [tenant.name for tenant in await administration.list_tenants()] == ["acme", "other"]


async def test_a_key_is_stored_as_a_digest_of_what_is_shown_once(
    administration: Administration, keys: MemoryKeys
) -> None:
    await administration.create_tenant("acme", "")
    issued = await administration.create_key(order())
    assert region_of(issued.api_key) == "eu-fr"
    assert await keys.find(digest_of(issued.api_key, PEPPER)) == issued.key
    assert issued.api_key not in repr(issued)
    assert issued.key.quota == DEFAULT
    assert issued.key.created_at_seconds == 1_790_000_000


async def test_a_key_takes_its_own_quota_and_models(administration: Administration) -> None:
    await administration.create_tenant("acme", "")
    issued = await administration.create_key(order(quota=Quota(), model_names=["other-eu", "tiny-eu"]))
    assert issued.key.quota == Quota()
    assert issued.key.models == frozenset({1, 2})
    assert await administration.list_keys("acme") == await administration.list_keys("") == [issued.key]


async def test_a_key_has_the_defaults_for_what_its_quota_leaves_out_where_that_is_asked_for(
    administration: Administration,
) -> None:
    await administration.create_tenant("acme", "")
    own = Quota(concurrency=DEFAULT.concurrency + 1, tokens_per_day=5)
    bare = await administration.create_key(order(quota=own))
    filled = await administration.create_key(order(quota=own, defaults_for_unset=True))
    none = await administration.create_key(order(defaults_for_unset=True))
    assert bare.key.quota == own
    kept = {"concurrency": own.concurrency, "tokens_per_day": 5}
    assert filled.key.quota == DEFAULT.model_copy(update=kept)
    assert none.key.quota == DEFAULT


@pytest.mark.parametrize(
    ("wrong", "reason", "field"),
    [
        ({"tenant_name": "nobody"}, Reason.NOT_FOUND, "tenant"),
        ({"model_names": ["absent"]}, Reason.NOT_FOUND, "models"),
        ({"expires_at_seconds": 1_790_000_000}, Reason.REQUEST_INVALID, "expires_at_seconds"),
    ],
)
async def test_a_key_that_makes_no_sense_is_not_made(
    administration: Administration, keys: MemoryKeys, wrong: dict[str, Any], reason: Reason, field: str
) -> None:
    await administration.create_tenant("acme", "")
    with pytest.raises(ComptoirError) as refusal:
        await administration.create_key(order(**wrong))
    assert (refusal.value.reason, refusal.value.field) == (reason, field)
    assert not keys.keys


async def test_an_unknown_home_region_is_not_found(administration: Administration) -> None:
    with pytest.raises(ComptoirError) as refusal:
        await administration.create_tenant("acme", "atlantis")
    assert (refusal.value.reason, refusal.value.field) == (Reason.NOT_FOUND, "home_region")


async def test_a_key_is_revoked_now(administration: Administration) -> None:
    await administration.create_tenant("acme", "")
    issued = await administration.create_key(order())
    assert (await administration.revoke_key(issued.key.number)).revoked_at_seconds == 1_790_000_000


async def test_a_key_may_claim_the_default_class_unless_an_operator_says_another(
    administration: Administration,
) -> None:
    await administration.create_tenant("acme", "")
    ordinary = await administration.create_key(order())
    interactive = await administration.create_key(order(best_priority=Priority.INTERACTIVE))
    assert ordinary.key.best_priority is Priority.DEFAULT
    assert interactive.key.best_priority is Priority.INTERACTIVE


async def test_a_tenant_gets_a_whole_quota_or_keeps_the_one_that_it_has(
    administration: Administration,
) -> None:
    created = await administration.create_tenant("acme", "", Quota(tokens_per_day=5))
    assert await administration.update_tenant("acme", None) == created
    assert (await administration.update_tenant("acme", DEFAULT)).quota == DEFAULT
    with pytest.raises(ComptoirError) as refusal:
        await administration.update_tenant("nobody", None)
    assert refusal.value.reason is Reason.NOT_FOUND


class Broken:
    """A store of quotas that fails for a reason."""

    def __init__(self, reason: Reason) -> None:
        self.reason = reason

    async def spending(self, tenant: int, key: int = 0) -> Spending:
        del tenant, key
        raise ComptoirError(self.reason)


async def test_what_was_used_is_left_out_where_it_cannot_be_known_now() -> None:
    assert await spending_of(Broken(Reason.QUOTA_UNAVAILABLE), 1, 2) is None
    with pytest.raises(ComptoirError):
        await spending_of(Broken(Reason.INTERNAL), 1, 2)


async def test_what_several_used_is_told_of_all_of_them_or_of_none(administration: Administration) -> None:
    tenants = [await administration.create_tenant(name, "") for name in ("acme", "other")]
    used = await spending_of_all(Numbered(), tenants)
    assert [spent.day_tokens for spent in used] == [tenant.number for tenant in tenants]
    assert await spending_of_all(Broken(Reason.QUOTA_UNAVAILABLE), tenants) == []


class Numbered:
    """A store in which every tenant has used as many tokens as its number is."""

    async def spending(self, tenant: int, key: int = 0) -> Spending:
        del key
        return Spending(day_tokens=tenant)
