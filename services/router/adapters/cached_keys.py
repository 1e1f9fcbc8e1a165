"""Keeps keys in memory for some seconds, so that an admission rarely waits for the store."""

from collections import OrderedDict
from collections.abc import Sequence
from typing import Final

from services.kernel.clock import Clock
from services.router.domain.ports import KeyStore
from services.router.domain.tenancy import Key, NewKey, Tenant

# A revocation made through another process holds here after at most this long.
MAX_AGE_SECONDS: Final = 5.0
MAX_KEYS: Final = 10_000


class CachedKeys:
    """A key store in front of another: found keys are remembered, and every change forgets them all.

    Digests that were not found are not remembered, so that guesses cannot push real keys out.
    """

    def __init__(self, inner: KeyStore, clock: Clock) -> None:
        self._inner = inner
        self._clock = clock
        self._found: OrderedDict[bytes, tuple[Key, float]] = OrderedDict()
        self._changes = 0

    async def find(self, digest: bytes) -> Key | None:
        """Returns the key with that digest as it was at most 5 s ago, or None."""
        now_seconds = self._clock.monotonic_seconds()
        known = self._found.get(digest)
        if known is not None and now_seconds - known[1] < MAX_AGE_SECONDS:
            self._found.move_to_end(digest)
            return known[0]
        changes = self._changes
        key = await self._inner.find(digest)
        # What was read before a change must not outlive it.
        if key is not None and changes == self._changes:
            self._found[digest] = (key, now_seconds)
            self._found.move_to_end(digest)
            if len(self._found) > MAX_KEYS:
                self._found.popitem(last=False)
        return key

    async def create_tenant(self, name: str, home_region: int, now_seconds: int) -> Tenant:
        """Stores a tenant; ALREADY_EXISTS if the name is taken."""
        return await self._inner.create_tenant(name, home_region, now_seconds)

    async def list_tenants(self) -> Sequence[Tenant]:
        """Returns all tenants by number."""
        return await self._inner.list_tenants()

    async def create_key(self, new: NewKey) -> Key:
        """Stores a key; NOT_FOUND if there is no such tenant."""
        return await self._inner.create_key(new)

    async def list_keys(self, tenant_name: str | None) -> Sequence[Key]:
        """Returns all keys of a tenant, or of all, by number; NOT_FOUND if there is no such tenant."""
        return await self._inner.list_keys(tenant_name)

    async def revoke_key(self, number: int, now_seconds: int) -> Key:
        """Marks a key as revoked, once; it is refused from the moment this returns."""
        try:
            return await self._inner.revoke_key(number, now_seconds)
        finally:
            self._changes += 1
            self._found.clear()
