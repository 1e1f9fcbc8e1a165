"""Two routers of one lease store that may be away for each of them."""

from services.kernel.clock import ManualClock
from services.router.adapters.local_share_leases import LocalShareLeases
from services.router.adapters.memory_leases import MemoryLeases
from services.router.domain.lease import Freed
from services.router.domain.quota import Quotas
from services.router.domain.tenancy import UNLIMITED, Quota
from tests.contracts.leases import PAYER
from tests.services.router.adapters.unsteady_store import UnsteadyStore

QUOTA = Quota(requests_per_minute=600, tokens_per_minute=60_000, concurrency=4)
TOKENS = 1_000


class World:
    """Two routers of one store that may be away for each."""

    def __init__(self, most_leases: int = 100) -> None:
        self.clock = ManualClock(monotonic_seconds=1_000.0)
        self.memory = MemoryLeases(self.clock)
        self.lines = [UnsteadyStore(self.memory) for _ in range(2)]
        self.one, self.other = (
            LocalShareLeases(line, self.clock, routers=2, most_leases=most_leases) for line in self.lines
        )

    async def away(self, seconds: float = 30.0) -> None:
        """The store has been away for a while, and both routers know it."""
        for line in self.lines:
            line.is_away = True
        await self.expire()
        self.clock.advance(seconds)

    async def back(self) -> None:
        for line in self.lines:
            line.is_away = False
        await self.expire()

    async def expire(self) -> list[Freed]:
        return [*await self.one.expire(), *await self.other.expire()]

    async def left(self) -> tuple[int, int]:
        """How many requests and tokens the store has left for the key."""
        state = await self.memory.spend_request(PAYER, Quotas(QUOTA, UNLIMITED))
        return state.remaining_requests + 1, state.remaining_tokens
