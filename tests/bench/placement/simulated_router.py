"""What one router of the simulation knows: the router's own directory, placement and memory of prefixes."""

from collections.abc import Collection, Sequence
from typing import Final

from services.kernel.identity import Identity
from services.router.adapters.replica_directory import MemoryReplicaDirectory
from services.router.domain.lease import Process
from services.router.domain.limits import RouterLimits
from services.router.domain.placement.asking import Ask, expected_input_tokens
from services.router.domain.placement.filters import is_full
from services.router.domain.placement.placing import trusted
from services.router.domain.placement.prefix_memory import PrefixMemory
from services.router.domain.placement.replica import Claims, Registration, Replica
from services.router.domain.placement.work import is_at_work
from tests.bench.placement.arrivals import BYTES_PER_TOKEN, Request
from tests.bench.placement.engine import BLOCK_TOKENS, KV_BLOCKS

LIMITS: Final = RouterLimits()
MOST_REQUESTS: Final = 256
_CLAIM_SECONDS: Final = 2.0
_STALE_SECONDS: Final = LIMITS.report_timeout_seconds


class SimulatedRouter:
    """What one router knows of the replicas, and of what it sent to them."""

    def __init__(self, remembers: bool) -> None:
        self.directory = MemoryReplicaDirectory(LIMITS, 0.0)
        self._prefixes = PrefixMemory(LIMITS.placement.prefix_memory_bytes if remembers else 0)
        self._after = 0

    def register(self, number: int) -> Identity:
        return self.directory.register(_registration(number), 0.0)

    def free(self, tried: Collection[int], now_seconds: float) -> Sequence[Replica]:
        """Returns the replicas with a place that a request may be sent to, and was not yet."""
        pool = self.directory.pool(1, 1)
        free = [one for one in pool if one.registration.replica not in tried and not is_full(one)]
        return trusted(free, now_seconds, stale_after_seconds=_STALE_SECONDS)

    def lets_leave(self, number: int, tried: Collection[int], now_seconds: float) -> bool:
        """Tells whether a request without a token may leave a replica: that hangs, and there is another."""
        left = self.directory.everyone()[number - 1]
        is_hung = not is_at_work(left, now_seconds, stale_after_seconds=_STALE_SECONDS)
        return is_hung and bool(self.free(tried, now_seconds))

    def judge(self, number: int, now_seconds: float, *, has_failed: bool) -> None:
        process = self.directory.everyone()[number - 1].registration.process
        self.directory.judge(process, now_seconds, has_failed=has_failed)

    def ask(self, request: Request, now_seconds: float) -> Ask:
        return Ask(
            tokens=request.input_tokens + request.output_tokens,
            input_tokens=expected_input_tokens(request.input_tokens * BYTES_PER_TOKEN),
            after=self._after,
            now_seconds=now_seconds,
            stale_after_seconds=LIMITS.report_timeout_seconds,
            cached_tokens=self._prefixes.cached_tokens(request.beginning, 1, now_seconds),
            prefix=request.beginning.number,
            affinity_seconds=LIMITS.placement.affinity_seconds,
        )

    def send(self, request: Request, ask: Ask, process: Process, lease: Identity) -> None:
        self._after, new_tokens = process.replica, ask.input_tokens - ask.cached_at(process)
        self._prefixes.note(
            request.beginning,
            1,
            process,
            new_tokens=new_tokens,
            cache_tokens=KV_BLOCKS * BLOCK_TOKENS,
            now_seconds=ask.now_seconds,
        )
        blocks, until_seconds = -(-ask.tokens // BLOCK_TOKENS), ask.now_seconds + _CLAIM_SECONDS
        claims = Claims(new_tokens, blocks, until_seconds)
        self.directory.claim(lease, process.replica, claims, ask.now_seconds)


def _registration(number: int) -> Registration:
    return Registration(number, 1, 1, f"replica-{number}:1", 32_768, BLOCK_TOKENS, KV_BLOCKS, MOST_REQUESTS)
