"""What operators do: create tenants and keys, list them, revoke keys."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from services.kernel.api_keys import ENTROPY_BYTES, make_key
from services.kernel.catalog import Catalog, Region
from services.kernel.clock import Clock
from services.kernel.errors import ComptoirError, Reason
from services.router.domain.keys import digest_of
from services.router.domain.ports import KeyStore
from services.router.domain.tenancy import Key, NewKey, Priority, Quota, Tenant

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


@dataclass(frozen=True, slots=True)
class IssuedKey:
    """A new key with its text, which is known here and nowhere else."""

    key: Key
    api_key: str = field(repr=False)


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

    async def create_tenant(self, name: str, home_region_name: str) -> Tenant:
        """Stores a tenant; NOT_FOUND for a region that the catalog does not have."""
        region = self._catalog.region_by_name(home_region_name) if home_region_name else self._region
        if region is None:
            raise ComptoirError(Reason.NOT_FOUND, field="home_region")
        return await self._store.create_tenant(name, region.number, self._now_seconds())

    async def list_tenants(self) -> Sequence[Tenant]:
        """Returns all tenants by number."""
        return await self._store.list_tenants()

    async def create_key(self, order: KeyOrder) -> IssuedKey:
        """Makes and stores a key; NOT_FOUND for a tenant or model that does not exist."""
        now_seconds = self._now_seconds()
        if 0 < order.expires_at_seconds <= now_seconds:
            raise ComptoirError(Reason.REQUEST_INVALID, field="expires_at_seconds")
        api_key = make_key(self._region.name, secrets.token_bytes(ENTROPY_BYTES))
        new = NewKey(
            tenant_name=order.tenant_name,
            digest=digest_of(api_key, self._pepper),
            label=order.label,
            models=[self._model_number(name) for name in order.model_names],
            quota=self._default_quota if order.quota is None else order.quota,
            created_at_seconds=now_seconds,
            expires_at_seconds=order.expires_at_seconds,
            best_priority=order.best_priority,
        )
        return IssuedKey(await self._store.create_key(new), api_key)

    async def list_keys(self, tenant_name: str) -> Sequence[Key]:
        """Returns the keys of a tenant, or of all for the empty name."""
        return await self._store.list_keys(tenant_name or None)

    async def revoke_key(self, number: int) -> Key:
        """Revokes a key at once; safe to repeat."""
        return await self._store.revoke_key(number, self._now_seconds())

    def _model_number(self, name: str) -> int:
        found = self._catalog.model_name(name)
        if found is None:
            raise ComptoirError(Reason.NOT_FOUND, field="models")
        return found.model.number

    def _now_seconds(self) -> int:
        return self._clock.wall_microseconds() // _MICROSECONDS
