"""Who waits for a place of its key or tenant: a line per key, of which the first stands in its tenant's."""

from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from services.kernel.errors import Reason
from services.router.domain.quota import Payer
from services.router.domain.tenancy import Key
from services.router.domain.waiting_lines import MAX_WAITING, WaitingLines, again

Got = TypeVar("Got")

# No key and no tenant may be all who wait.
_MOST_OF_A_KEY: Final = MAX_WAITING // 8
_MOST_OF_A_TENANT: Final = MAX_WAITING // 4


class QuotaLines:
    """Those of a key wait in its line, and the first of them, where the tenant is full, in that one too.

    So the keys of a tenant have their turns one after another, however many of each wait.
    """

    def __init__(self, *, wait_seconds: float) -> None:
        reason = Reason.CONCURRENCY_EXHAUSTED
        self._keys = WaitingLines(reason, wait_seconds=wait_seconds)
        self._tenants = WaitingLines(reason, wait_seconds=wait_seconds, is_of_tenant=True)
        # Those of a tenant that are here, and wait or try.
        self._of_tenant: dict[int, int] = {}

    @property
    def waiting(self) -> int:
        """Returns how many wait, in the lines of all keys together."""
        return self._keys.waiting

    async def take(self, key: Key, lend: Callable[[], Awaitable[Got]]) -> Got:
        """Returns what is lent, after a wait where the key or its tenant has no place left."""
        tenant = key.tenant.number
        here = self._of_tenant[tenant] = self._of_tenant.get(tenant, 0) + 1
        # No more of a key may wait than may run.
        most = min(key.quota.concurrency or key.tenant.quota.concurrency, _MOST_OF_A_KEY)

        async def attempt() -> Got:
            if self._keys.refusal_of(key.number) is not None:
                # It is the first of its line.
                return await self._tenants.take(tenant, lend, most=_MOST_OF_A_TENANT)
            before = self._tenants.refusal_of(tenant)
            if before is not None:
                # Others of the tenant wait: nobody is passed over.
                raise again(before)
            return await lend()

        try:
            return await self._keys.take(key.number, attempt, most=most if here <= _MOST_OF_A_TENANT else 0)
        finally:
            self._leave(tenant)

    def free(self, payer: Payer) -> None:
        """Lets the first of a key try again, and the first of its tenant."""
        self._tenants.free(payer.tenant)
        self._keys.free(payer.key)

    def _leave(self, tenant: int) -> None:
        self._of_tenant[tenant] -= 1
        if not self._of_tenant[tenant]:
            del self._of_tenant[tenant]
