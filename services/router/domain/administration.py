"""What operators do with tenants and keys: create, list, change, rotate, disable, revoke, delete."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from services.kernel.api_keys import ENTROPY_BYTES, make_key, region_of
from services.kernel.catalog import Catalog, Region
from services.kernel.clock import Clock
from services.kernel.errors import ComptoirError, Reason
from services.kernel.quota import Spending
from services.router.domain.keys import digest_of
from services.router.domain.ports import KeyStore
from services.router.domain.tenancy import (
    EVERYTHING,
    UNLIMITED,
    Endpoint,
    Key,
    KeyChange,
    NewKey,
    Page,
    Priority,
    Quota,
    Tenant,
)

_MICROSECONDS: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class KeyOrder:
    """A key that an operator asks for; names are the catalog's, no quota means the router's default."""

    tenant_name: str
    label: str
    model_names: Sequence[str]
    quota: Quota | None
    expires_at_seconds: int
    best_priority: Priority = Priority.DEFAULT
    endpoints: Sequence[Endpoint] = ()
    region_names: Sequence[str] = ()
    # A secret that was made elsewhere; empty for one of the router.
    api_key: str = field(default="", repr=False)
    # Whether a limit of 0 is the router's default, and not none.
    defaults_for_unset: bool = False


@dataclass(frozen=True, slots=True)
class KeyEdit:
    """What an operator changes of a key; None leaves it, names are the catalog's."""

    label: str | None = None
    model_names: Sequence[str] | None = None
    endpoints: Sequence[Endpoint] | None = None
    region_names: Sequence[str] | None = None
    quota: Quota | None = None
    best_priority: Priority | None = None
    expires_at_seconds: int | None = None


@dataclass(frozen=True, slots=True)
class IssuedKey:
    """A key with its new secret, which is known here and nowhere else; empty if the operator made it."""

    key: Key
    api_key: str = field(repr=False)


class SpendingStore(Protocol):
    """Where the store of quotas tells what was used."""

    async def spending(self, tenant: int, key: int = 0) -> Spending:
        """Returns what a key of a tenant used, or the tenant itself without a key.

        QUOTA_UNAVAILABLE where the store cannot be reached.
        """
        ...


class Administration:
    """The operators' side of the key store."""

    def __init__(
        self,
        store: KeyStore,
        *,
        catalog: Catalog,
        region: Region,
        pepper: bytes,
        default_quota: Quota,
        clock: Clock,
    ) -> None:
        self._store = store
        self._catalog = catalog
        self._region = region
        self._pepper = pepper
        self._default_quota = default_quota
        self._clock = clock

    async def create_tenant(self, name: str, home_region_name: str, quota: Quota = UNLIMITED) -> Tenant:
        """Stores a tenant; NOT_FOUND for a region that the catalog does not have."""
        region = self._catalog.region_by_name(home_region_name) if home_region_name else self._region
        if region is None:
            raise ComptoirError(Reason.NOT_FOUND, field="home_region")
        return await self._store.create_tenant(name, region.number, self._now_seconds(), quota)

    async def update_tenant(self, name: str, quota: Quota | None) -> Tenant:
        """Changes what the keys of a tenant may use together, and is safe to repeat; None leaves it."""
        if quota is None:
            return await self._store.tenant(name)
        return await self._store.limit_tenant(name, quota)

    async def tenant(self, name: str) -> Tenant:
        """Returns a tenant; NOT_FOUND if there is none of that name."""
        return await self._store.tenant(name)

    async def list_tenants(self, page: Page = EVERYTHING) -> Sequence[Tenant]:
        """Returns tenants by number."""
        return await self._store.list_tenants(page)

    async def disable_tenant(self, name: str, *, is_disabled: bool) -> Tenant:
        """Has all keys of a tenant refused, or taken again; safe to repeat."""
        return await self._store.disable_tenant(name, is_disabled=is_disabled)

    async def delete_tenant(self, name: str) -> Tenant:
        """Forgets a tenant; TENANT_HAS_KEYS while it has one."""
        return await self._store.delete_tenant(name)

    async def create_key(self, order: KeyOrder) -> IssuedKey:
        """Makes and stores a key of its tenant's home; NOT_FOUND without tenant, model or region."""
        now_seconds = self._now_seconds()
        self._check_expiry(order.expires_at_seconds)
        home = await self._home_of(order.tenant_name)
        # A secret of another region would be refused by its name wherever it is shown.
        if order.api_key and region_of(order.api_key) != home.name:
            raise ComptoirError(Reason.REQUEST_INVALID, field="api_key")
        made = "" if order.api_key else _new_secret(home)
        new = NewKey(
            tenant_name=order.tenant_name,
            digest=digest_of(order.api_key or made, self._pepper),
            label=order.label,
            models=[self._model_number(name) for name in order.model_names],
            quota=self._quota_of(order),
            created_at_seconds=now_seconds,
            expires_at_seconds=order.expires_at_seconds,
            best_priority=order.best_priority,
            endpoints=order.endpoints,
            regions=[self._region_number(name) for name in order.region_names],
        )
        return IssuedKey(await self._store.create_key(new), made)

    def _quota_of(self, order: KeyOrder) -> Quota:
        if order.quota is None:
            return self._default_quota
        return order.quota.filled(self._default_quota) if order.defaults_for_unset else order.quota

    async def key(self, number: int) -> Key:
        """Returns a key; NOT_FOUND if there is none with that number."""
        return await self._store.key(number)

    async def key_of(self, api_key: str) -> Key:
        """Returns the key whose secret that is, or was before its last rotation; NOT_FOUND if none."""
        digest = digest_of(api_key, self._pepper)
        found = await self._store.find(digest)
        if found is None or found.shown_as(digest) is None:
            raise ComptoirError(Reason.NOT_FOUND, field="api_key")
        return found

    async def list_keys(self, tenant_name: str, page: Page = EVERYTHING) -> Sequence[Key]:
        """Returns the keys of a tenant, or of all for the empty name, by number."""
        return await self._store.list_keys(tenant_name or None, page)

    async def update_key(self, number: int, edit: KeyEdit) -> Key:
        """Changes what an edit says of a key; NOT_FOUND for what does not exist."""
        await self._check_not_revoked(number)
        self._check_expiry(edit.expires_at_seconds or 0)
        models, regions = edit.model_names, edit.region_names
        change = KeyChange(
            label=edit.label,
            models=None if models is None else [self._model_number(name) for name in models],
            endpoints=edit.endpoints,
            regions=None if regions is None else [self._region_number(name) for name in regions],
            quota=edit.quota,
            best_priority=edit.best_priority,
            expires_at_seconds=edit.expires_at_seconds,
        )
        return await self._store.change_key(number, change)

    async def rotate_key(self, number: int, overlap_seconds: int, *, ends_earlier: bool = False) -> IssuedKey:
        """Gives a key another secret; the one that it had is taken for `overlap_seconds` more.

        OVERLAP_NOT_OVER while the one of before that is taken, which would end: unless it is to end, or none
        is to be taken any more but the new one.
        """
        await self._check_not_revoked(number)
        made = _new_secret(self._home((await self._store.key(number)).tenant))
        now_seconds = self._now_seconds()
        key = await self._store.rotate_key(
            number,
            digest_of(made, self._pepper),
            now_seconds + overlap_seconds,
            not_taken_at_seconds=None if ends_earlier or not overlap_seconds else now_seconds,
        )
        return IssuedKey(key, made)

    async def disable_key(self, number: int, *, is_disabled: bool) -> Key:
        """Has a key refused, or taken again; safe to repeat."""
        await self._check_not_revoked(number)
        return await self._store.change_key(number, KeyChange(is_disabled=is_disabled))

    async def revoke_key(self, number: int) -> Key:
        """Revokes a key at once; safe to repeat."""
        return await self._store.revoke_key(number, self._now_seconds())

    async def delete_key(self, number: int) -> Key:
        """Forgets a key, and returns it as it was."""
        return await self._store.delete_key(number)

    async def _check_not_revoked(self, number: int) -> None:
        # Revoked is for ever: what would change of such a key could only mislead.
        if (await self._store.key(number)).revoked_at_seconds:
            raise ComptoirError(Reason.REQUEST_INVALID, field="number")

    def _check_expiry(self, expires_at_seconds: int) -> None:
        if 0 < expires_at_seconds <= self._now_seconds():
            raise ComptoirError(Reason.REQUEST_INVALID, field="expires_at_seconds")

    async def _home_of(self, tenant_name: str) -> Region:
        return self._home(await self._store.tenant(tenant_name))

    def _home(self, tenant: Tenant) -> Region:
        region = self._catalog.region_by_number(tenant.home_region)
        if region is None:
            raise ComptoirError(Reason.NOT_FOUND, field="home_region")
        return region

    def _model_number(self, name: str) -> int:
        found = self._catalog.model_name(name)
        if found is None:
            raise ComptoirError(Reason.NOT_FOUND, field="models")
        return found.model.number

    def _region_number(self, name: str) -> int:
        region = self._catalog.region_by_name(name)
        if region is None:
            raise ComptoirError(Reason.NOT_FOUND, field="regions")
        return region.number

    def _now_seconds(self) -> int:
        return self._clock.wall_microseconds() // _MICROSECONDS


async def spending_of(store: SpendingStore, tenant: int, key: int = 0) -> Spending | None:
    """Returns what a key or a tenant used; None where that cannot be known now, and all else of it can be."""
    try:
        return await store.spending(tenant, key)
    except ComptoirError as error:
        if error.reason is not Reason.QUOTA_UNAVAILABLE:
            raise
        return None


async def spending_of_all(store: SpendingStore, tenants: Sequence[Tenant]) -> list[Spending]:
    """Returns what each tenant used, in their order; nothing where that cannot be known now."""
    found = []
    for tenant in tenants:
        used = await spending_of(store, tenant.number)
        if used is None:
            return []
        found.append(used)
    return found


def _new_secret(home: Region) -> str:
    return make_key(home.name, secrets.token_bytes(ENTROPY_BYTES))
