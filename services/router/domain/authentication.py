"""From the text of an API key to the key it is, and whether that key may be used here and now."""

from services.kernel.api_keys import region_of
from services.kernel.catalog import Region
from services.kernel.errors import ComptoirError, Reason
from services.router.domain.keys import digest_of
from services.router.domain.ports import KeyMemory
from services.router.domain.tenancy import Key
from services.router.domain.wrong_keys import WrongKeys


class Authenticator:
    """Knows keys by their digest under the pepper; refuses without saying which part was wrong."""

    def __init__(self, finder: KeyMemory, wrong_keys: WrongKeys, *, pepper: bytes, region: Region) -> None:
        self._finder = finder
        self._wrong_keys = wrong_keys
        self._pepper = pepper
        self._region = region

    async def find(self, api_key: str, source: int = 0) -> Key:
        """Returns the stored key, usable or not; KEY_INVALID if there is none.

        TOO_MANY_WRONG_KEYS, without a look-up, for one that is not known, after too many that nobody knows.
        `source` stands for the address that the key came from; 0 where that is not said.
        """
        if region_of(api_key) is None:
            raise ComptoirError(Reason.KEY_INVALID)
        digest = digest_of(api_key, self._pepper)
        if self._finder.is_known(digest):
            found = await self._finder.find(digest)
        else:
            found = await self._look_up(digest, source)
        key = None if found is None else found.shown_as(digest)
        if key is None:
            raise ComptoirError(Reason.KEY_INVALID)
        return key

    def check(self, api_key: str, key: Key, now_seconds: float) -> None:
        """Raises why the key may not be used now, if so; `now_seconds` is that of the wall clock."""
        if key.revoked_at_seconds:
            raise ComptoirError(Reason.KEY_INVALID)
        if key.is_expired(now_seconds):
            raise ComptoirError(Reason.KEY_EXPIRED)
        if key.is_disabled:
            raise ComptoirError(Reason.KEY_DISABLED)
        if key.tenant.is_disabled:
            raise ComptoirError(Reason.TENANT_DISABLED)
        if region_of(api_key) != self._region.name or not self._may_serve(key):
            raise ComptoirError(Reason.REGION_NOT_ALLOWED)

    async def _look_up(self, digest: bytes, source: int) -> Key | None:
        self._wrong_keys.take(source)
        try:
            key = await self._finder.find(digest)
        except ComptoirError:
            self._wrong_keys.give_back(source)
            raise
        if key is not None:
            self._wrong_keys.give_back(source)
        return key

    def _may_serve(self, key: Key) -> bool:
        # Outside the EU only tenants at home: any other would need a transfer record, and there is none.
        if not key.may_be_served_in(self._region.number):
            return False
        return self._region.is_eu or self._region.number == key.tenant.home_region
