"""A key store in memory."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import fields as dataclass_fields
from dataclasses import replace

from services.kernel.errors import ComptoirError, Reason
from services.router.domain.tenancy import UNLIMITED, Changes, Key, KeyChange, NewKey, Page, Quota, Tenant

EVERYTHING = Page()


class MemoryKeys:
    """A key store that forgets everything when its test ends."""

    def __init__(self) -> None:
        self.tenants: dict[int, Tenant] = {}
        self.keys: dict[int, Key] = {}
        self.finds = 0
        self.changes = 0
        # What each change was about, oldest first.
        self.logged: list[Key | Tenant] = []
        self._numbers = itertools.count(1)

    def is_known(self, digest: bytes) -> bool:
        del digest
        return False

    async def find(self, digest: bytes) -> Key | None:
        self.finds += 1
        return next((key for key in self.keys.values() if digest in {key.digest, key.previous_digest}), None)

    async def change_number(self) -> int:
        return self.changes

    async def changes_since(self, number: int, most: int) -> Changes:
        logged = self.logged[number:] if number <= self.changes else []
        if len(logged) != self.changes - number or len(logged) > most:
            return Changes(self.changes, is_told=False)
        keys = {one.number for one in logged if isinstance(one, Key)}
        tenants = {one.number for one in logged if isinstance(one, Tenant)}
        digests = [digest for at in keys & self.keys.keys() for digest in self.keys[at].digests]
        return Changes(self.changes, frozenset(keys), frozenset(tenants), digests)

    async def digests(self, most: int) -> Sequence[bytes]:
        newest = sorted(self.keys.values(), key=lambda key: -key.number)[:most]
        return [digest for key in newest for digest in (key.digest, key.previous_digest) if digest]

    async def create_tenant(
        self, name: str, home_region: int, now_seconds: int, quota: Quota = UNLIMITED
    ) -> Tenant:
        if any(tenant.name == name for tenant in self.tenants.values()):
            raise ComptoirError(Reason.ALREADY_EXISTS)
        return self._keep_tenant(Tenant(next(self._numbers), name, home_region, now_seconds, quota=quota))

    async def tenant(self, name: str) -> Tenant:
        return self._tenant_named(name)

    async def list_tenants(self, page: Page = EVERYTHING) -> Sequence[Tenant]:
        numbers = self.tenants.keys() if page.numbers is None else page.numbers
        tenants = self.tenants.values()
        return [one for one in tenants if page.after < one.number in numbers][: page.most]

    async def limit_tenant(self, name: str, quota: Quota) -> Tenant:
        return self._change_tenant(replace(self._tenant_named(name), quota=quota))

    async def disable_tenant(self, name: str, *, is_disabled: bool) -> Tenant:
        return self._change_tenant(replace(self._tenant_named(name), is_disabled=is_disabled))

    def _change_tenant(self, changed: Tenant) -> Tenant:
        self._keep_tenant(changed)
        for key in self.keys.values():
            if key.tenant.number == changed.number:
                self.keys[key.number] = replace(key, tenant=changed)
        return changed

    async def delete_tenant(self, name: str) -> Tenant:
        tenant = self._tenant_named(name)
        if any(key.tenant == tenant for key in self.keys.values()):
            raise ComptoirError(Reason.TENANT_HAS_KEYS)
        self._note(tenant)
        return self.tenants.pop(tenant.number)

    async def create_key(self, new: NewKey) -> Key:
        tenant = self._tenant_named(new.tenant_name)
        if any(key.digest == new.digest for key in self.keys.values()):
            raise ComptoirError(Reason.ALREADY_EXISTS)
        return self._keep(
            Key(
                number=next(self._numbers),
                tenant=tenant,
                digest=new.digest,
                label=new.label,
                models=frozenset(new.models),
                quota=new.quota,
                created_at_seconds=new.created_at_seconds,
                expires_at_seconds=new.expires_at_seconds,
                best_priority=new.best_priority,
                endpoints=frozenset(new.endpoints),
                regions=frozenset(new.regions),
            )
        )

    async def key(self, number: int) -> Key:
        if number not in self.keys:
            raise ComptoirError(Reason.NOT_FOUND, field="number")
        return self.keys[number]

    async def list_keys(self, tenant_name: str | None, page: Page = EVERYTHING) -> Sequence[Key]:
        tenant = None if tenant_name is None else self._tenant_named(tenant_name)
        keys = (key for key in self.keys.values() if tenant in {None, key.tenant})
        numbers = self.keys.keys() if page.numbers is None else page.numbers
        return [key for key in keys if page.after < key.number in numbers][: page.most]

    async def change_key(self, number: int, change: KeyChange) -> Key:
        fields = {field.name: getattr(change, field.name) for field in dataclass_fields(change)}
        for name in ("models", "endpoints", "regions"):
            fields[name] = None if fields[name] is None else frozenset(fields[name])
        said = {name: value for name, value in fields.items() if value is not None}
        return self._keep(replace(await self.key(number), **said))

    async def rotate_key(
        self,
        number: int,
        digest: bytes,
        previous_until_seconds: int,
        *,
        not_taken_at_seconds: int | None = None,
    ) -> Key:
        key = await self.key(number)
        if not_taken_at_seconds is not None:
            key.check_overlap_is_over(not_taken_at_seconds)
        until = previous_until_seconds
        rotated = replace(key, digest=digest, previous_digest=key.digest, previous_until_seconds=until)
        return self._keep(rotated)

    async def revoke_key(self, number: int, now_seconds: int) -> Key:
        key = await self.key(number)
        return self._keep(replace(key, revoked_at_seconds=key.revoked_at_seconds or now_seconds))

    async def delete_key(self, number: int) -> Key:
        self._note(await self.key(number))
        return self.keys.pop(number)

    async def note_uses(self, uses: Mapping[int, int]) -> None:
        for number in uses.keys() & self.keys.keys():
            key = self.keys[number]
            latest = max(key.last_used_seconds, uses[number])
            self.keys[number] = replace(key, last_used_seconds=latest)

    def _keep_tenant(self, tenant: Tenant) -> Tenant:
        self._note(tenant)
        self.tenants[tenant.number] = tenant
        return tenant

    def _keep(self, key: Key) -> Key:
        self._note(key)
        self.keys[key.number] = key
        return key

    def _note(self, changed: Key | Tenant) -> None:
        self.changes += 1
        self.logged.append(changed)

    def _tenant_named(self, name: str) -> Tenant:
        for tenant in self.tenants.values():
            if tenant.name == name:
                return tenant
        raise ComptoirError(Reason.NOT_FOUND, field="tenant")
