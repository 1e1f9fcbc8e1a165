"""Keeps keys in memory as long as nothing changed, so that an admission rarely waits for the store."""

import asyncio
import math
from collections import OrderedDict
from collections.abc import Awaitable, Mapping, Sequence
from functools import partial
from typing import Final, TypeVar

from services.kernel.clock import Clock
from services.kernel.errors import ComptoirError
from services.router.domain.ports import KeyStore
from services.router.domain.tenancy import UNLIMITED, Changes, Key, KeyChange, NewKey, Page, Quota, Tenant

# What was read, or is known to be unchanged, is believed for as long: a change that is made through another
# router holds here after no more, though nobody told.
TRUST_SECONDS: Final = 1.0
MAX_KEYS: Final = 10_000
MAX_ABSENT: Final = 10_000
# Digests of 32 bytes, of which nothing else is remembered.
MAX_KNOWN: Final = 100_000

EVERYTHING_CHANGED: Final = Changes(0, is_told=False)

_Kept = TypeVar("_Kept")
_Changed = TypeVar("_Changed", Tenant, Key)


class CachedKeys:
    """A key store in front of another: what was found is remembered, until it is changed.

    Changes that other routers make are told by `forget`, and that there were none by `confirm`. Digests that
    were not found are remembered apart, so that guesses cannot push real keys out.
    """

    def __init__(self, inner: KeyStore, clock: Clock) -> None:
        self._inner = inner
        self._clock = clock
        self._found: OrderedDict[bytes, tuple[Key, float]] = OrderedDict()
        self._absent: OrderedDict[bytes, float] = OrderedDict()
        # Keys that were there once, changed or not since.
        self._known: OrderedDict[bytes, None] = OrderedDict()
        # Reads under way, each with when it began: whoever needs the same key waits for the same one.
        self._reads: dict[bytes, tuple[asyncio.Task[Key | None], float]] = {}
        self._changes = 0
        self._confirmed_seconds = -math.inf

    def is_known(self, digest: bytes) -> bool:
        """Tells whether there was a key with that digest, as far as is remembered."""
        return digest in self._known

    async def find(self, digest: bytes) -> Key | None:
        """Returns the key with that digest, now or before, as it was at most a second ago, or None."""
        now_seconds = self._clock.monotonic_seconds()
        known = self._found.get(digest)
        if known is not None and self._is_trusted(known[1], now_seconds):
            self._found.move_to_end(digest)
            return known[0]
        if self._is_trusted(self._absent.get(digest, -math.inf), now_seconds):
            return None
        read, began_seconds = self._reads.get(digest, (None, -math.inf))
        if read is None or now_seconds - began_seconds >= TRUST_SECONDS:
            read = asyncio.create_task(self._read(digest, now_seconds))
            self._reads[digest] = (read, now_seconds)
            read.add_done_callback(partial(self._end_read, digest))
        # One who goes away ends it for nobody else.
        return await asyncio.shield(read)

    def forget(self, changes: Changes = EVERYTHING_CHANGED) -> None:
        """Forgets what changes were about, perhaps of another router."""
        # A read under way may be of before: it is told to who waits for it, and is not remembered.
        self._changes += 1
        self._reads.clear()
        for digest in [digest for digest, (key, _) in self._found.items() if changes.is_about(key)]:
            del self._found[digest]
        if not changes.is_told:
            self._absent.clear()
        for digest in changes.digests:
            self._absent.pop(digest, None)
            _keep(self._known, digest, None, MAX_KNOWN)

    def confirm(self, until_seconds: float) -> None:
        """Takes note that every change up to that moment of the monotonic clock was told."""
        self._confirmed_seconds = until_seconds

    async def learn(self) -> None:
        """Reads which digests are those of keys, so that none of these is taken for a guess."""
        for digest in reversed(await self._inner.digests(MAX_KNOWN)):
            _keep(self._known, digest, None, MAX_KNOWN)

    async def _read(self, digest: bytes, now_seconds: float) -> Key | None:
        changes = self._changes
        key = await self._inner.find(digest)
        # What was read before a change must not outlive it.
        if changes == self._changes:
            self._remember(digest, key, now_seconds)
        return key

    def _end_read(self, digest: bytes, read: "asyncio.Task[Key | None]") -> None:
        if self._reads.get(digest, (None, 0))[0] is read:
            del self._reads[digest]
        if not read.cancelled():
            # Perhaps nobody waits any more, and then nobody else asks for it.
            read.exception()

    def _is_trusted(self, read_seconds: float, now_seconds: float) -> bool:
        if read_seconds == -math.inf:
            return False
        return now_seconds - max(read_seconds, self._confirmed_seconds) < TRUST_SECONDS

    def _remember(self, digest: bytes, key: Key | None, read_seconds: float) -> None:
        if key is None:
            _keep(self._absent, digest, read_seconds, MAX_ABSENT)
        else:
            _keep(self._found, digest, (key, read_seconds), MAX_KEYS)
            _keep(self._known, digest, None, MAX_KNOWN)

    async def change_number(self) -> int:
        """Returns a number that grows with every change of a tenant or a key, by any router."""
        return await self._inner.change_number()

    async def digests(self, most: int) -> Sequence[bytes]:
        """Returns the digests by which keys are found, of the newest `most` keys."""
        return await self._inner.digests(most)

    async def create_tenant(
        self, name: str, home_region: int, now_seconds: int, quota: Quota = UNLIMITED
    ) -> Tenant:
        """Stores a tenant; ALREADY_EXISTS if the name is taken."""
        return await self._inner.create_tenant(name, home_region, now_seconds, quota)

    async def tenant(self, name: str) -> Tenant:
        """Returns a tenant."""
        return await self._inner.tenant(name)

    async def list_tenants(self, page: Page = Page()) -> Sequence[Tenant]:  # noqa: B008 - frozen
        """Returns tenants by number."""
        return await self._inner.list_tenants(page)

    async def limit_tenant(self, name: str, quota: Quota) -> Tenant:
        """Gives a tenant another quota, which holds from the moment this returns."""
        return await self._changing(self._inner.limit_tenant(name, quota))

    async def disable_tenant(self, name: str, *, is_disabled: bool) -> Tenant:
        """Has the keys of a tenant refused, or taken again, from the moment this returns."""
        return await self._changing(self._inner.disable_tenant(name, is_disabled=is_disabled))

    async def delete_tenant(self, name: str) -> Tenant:
        """Forgets a tenant; TENANT_HAS_KEYS while it has one."""
        return await self._changing(self._inner.delete_tenant(name))

    async def create_key(self, new: NewKey) -> Key:
        """Stores a key; NOT_FOUND if there is no such tenant."""
        return await self._changing(self._inner.create_key(new))

    async def key(self, number: int) -> Key:
        """Returns a key as it is in the store."""
        return await self._inner.key(number)

    async def list_keys(
        self,
        tenant_name: str | None,
        page: Page = Page(),  # noqa: B008 - frozen
    ) -> Sequence[Key]:
        """Returns keys of a tenant, or of all, by number; NOT_FOUND if there is no such tenant."""
        return await self._inner.list_keys(tenant_name, page)

    async def change_key(self, number: int, change: KeyChange) -> Key:
        """Sets what a change says of a key; it holds from the moment this returns."""
        return await self._changing(self._inner.change_key(number, change))

    async def rotate_key(
        self,
        number: int,
        digest: bytes,
        previous_until_seconds: int,
        *,
        not_taken_at_seconds: int | None = None,
    ) -> Key:
        """Gives a key another digest; the one that it had is found too, and what was before it no more."""
        return await self._changing(
            self._inner.rotate_key(
                number, digest, previous_until_seconds, not_taken_at_seconds=not_taken_at_seconds
            )
        )

    async def revoke_key(self, number: int, now_seconds: int) -> Key:
        """Marks a key as revoked, once; it is refused from the moment this returns."""
        return await self._changing(self._inner.revoke_key(number, now_seconds))

    async def delete_key(self, number: int) -> Key:
        """Forgets a key; it is refused from the moment this returns."""
        return await self._changing(self._inner.delete_key(number))

    async def note_uses(self, uses: Mapping[int, int]) -> None:
        """Notes when keys were used last, by number; what is remembered need not know."""
        await self._inner.note_uses(uses)

    async def _changing(self, change: Awaitable[_Changed]) -> _Changed:
        try:
            changed = await change
        except BaseException as failure:
            # A refusal changed nothing; of anything else nobody here knows whether the store made it.
            is_refusal = isinstance(failure, ComptoirError) and not failure.reason.row.is_retryable
            if not is_refusal:
                self.forget()
            raise
        self.forget(Changes.of(changed))
        return changed


def _keep(kept: OrderedDict[bytes, _Kept], digest: bytes, value: _Kept, most: int) -> None:
    kept[digest] = value
    kept.move_to_end(digest)
    if len(kept) > most:
        kept.popitem(last=False)
