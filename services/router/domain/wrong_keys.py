"""How many keys that nobody knows are looked up: so many a minute of one client, and of all together."""

from collections import OrderedDict
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from services.kernel.clock import Clock
from services.kernel.errors import ComptoirError, Numbers, Reason
from services.router.domain.bucket import Bucket, whole_milliseconds

# Of 200 bytes each. Whoever has more addresses than these is held by the bound of all together.
MAX_SOURCES: Final = 10_000
# A caller that says no source is counted among all.
_NO_SOURCE: Final = 0


class WrongKeyLimits(BaseModel):
    """How many keys that this router does not know are looked up; 0 means no limit."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    per_client_per_minute: int = Field(
        default=60,
        ge=0,
        lt=2**32,
        description="of one client's address (of its /64 network for IPv6)",
    )
    per_minute: int = Field(default=6_000, ge=0, lt=2**32, description="of all clients together")


class WrongKeys:
    """Counts look-ups of keys that were not known, and refuses them beyond the limits.

    Asked only for keys that are not known: a known one is served whatever else comes from its address.
    """

    def __init__(self, limits: WrongKeyLimits, clock: Clock) -> None:
        self._limits = limits
        self._clock = clock
        self._of_all = Bucket.full(limits.per_minute, whole_milliseconds(clock.monotonic_seconds()))
        self._sources: OrderedDict[int, Bucket] = OrderedDict()

    def take(self, source: int) -> None:
        """Counts one look-up; TOO_MANY_WRONG_KEYS, and nothing is counted, where there were too many."""
        now_milliseconds = whole_milliseconds(self._clock.monotonic_seconds())
        buckets = [self._of_all]
        self._of_all.refill(self._limits.per_minute, now_milliseconds)
        if source != _NO_SOURCE:
            buckets.append(self._bucket(source, now_milliseconds))
        slowest = max(buckets, key=lambda bucket: bucket.seconds_until(1))
        wait_seconds = slowest.seconds_until(1)
        if wait_seconds:
            numbers = Numbers(limit=slowest.per_minute, requested=1, available=slowest.remaining)
            raise ComptoirError(Reason.TOO_MANY_WRONG_KEYS, numbers=numbers, retry_after_seconds=wait_seconds)
        for bucket in buckets:
            bucket.take(1)

    def give_back(self, source: int) -> None:
        """Uncounts a look-up that found a key, or nothing because the store was away."""
        self._of_all.give(1)
        if source in self._sources:
            self._sources[source].give(1)

    def _bucket(self, source: int, now_milliseconds: int) -> Bucket:
        bucket = self._sources.get(source)
        if bucket is None:
            bucket = self._sources[source] = Bucket.full(self._limits.per_client_per_minute, now_milliseconds)
            if len(self._sources) > MAX_SOURCES:
                self._sources.popitem(last=False)
        self._sources.move_to_end(source)
        bucket.refill(self._limits.per_client_per_minute, now_milliseconds)
        return bucket
