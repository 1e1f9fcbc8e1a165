"""From the text of an API key to the key it is, and whether that key may be used here and now."""

from services.kernel.api_keys import region_of
from services.kernel.errors import ComptoirError, Reason
from services.router.domain.keys import digest_of
from services.router.domain.ports import KeyMemory
from services.router.domain.residency import Residency
from services.router.domain.tenancy import Key
from services.router.domain.wrong_keys import WrongKeys


class Authenticator:
    """Knows keys by their digest under the pepper; refuses without saying which part was wrong."""

    def __init__(
        self, finder: KeyMemory, wrong_keys: WrongKeys, *, pepper: bytes, residency: Residency
    ) -> None:
        self._finder = finder
        self._wrong_keys = wrong_keys
        self._pepper = pepper
        self._residency = residency

    async def find(self, api_key: str, source: int = 0) -> Key:
        """Returns the stored key, usable or not; KEY_INVALID if there is none.

        WRONG_REGION, without a look-up, for one that another region answers; TOO_MANY_WRONG_KEYS, without a
        look-up, for one that is not known, after too many that nobody knows. `source` stands for the address
        that the key came from; 0 where that is not said.
        """
        key_region = region_of(api_key)
        if key_region is None:
            raise ComptoirError(Reason.KEY_INVALID)
        self._residency.check_answered_here(key_region)
        digest = digest_of(api_key, self._pepper)
        if self._finder.is_known(digest):
            found = await self._finder.find(digest)
        else:
            found = await self._look_up(digest, source)
        key = None if found is None else found.shown_as(digest)
        if key is None:
            raise ComptoirError(Reason.KEY_INVALID)
        return key

    def check(self, key: Key, now_seconds: float) -> int:
        """Raises why the key may not be used now, if so; `now_seconds` is that of the wall clock.

        Returns the transfer record by which it is served, 0 in the European Union.
        """
        if key.revoked_at_seconds:
            raise ComptoirError(Reason.KEY_INVALID)
        if key.is_expired(now_seconds):
            raise ComptoirError(Reason.KEY_EXPIRED)
        if key.is_disabled:
            raise ComptoirError(Reason.KEY_DISABLED)
        if key.tenant.is_disabled:
            raise ComptoirError(Reason.TENANT_DISABLED)
        if not key.may_be_served_in(self._residency.region.number):
            raise ComptoirError(Reason.REGION_NOT_ALLOWED)
        return self._residency.transfer_record(key.tenant.home_region)

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
