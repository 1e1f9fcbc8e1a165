"""The times to a first token of several replicas together: their counts added up, and quantiles of those."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Final

from services.contract.first_tokens import BOUNDS_SECONDS, BUCKETS
from services.router.domain.placement.replica import Replica

P95: Final = 0.95


@dataclass(frozen=True, slots=True)
class Measured:
    """The p95 of so many times; None where there are none."""

    p95_seconds: float | None = None
    samples: int = 0


def interactive_times(replicas: Iterable[Replica], *, since_seconds: float) -> Measured:
    """Returns what replicas that have reported since a moment counted of interactive requests, together."""
    counted = [
        replica.load.first_tokens.interactive
        for replica in replicas
        if replica.load is not None
        and replica.load.first_tokens is not None
        and replica.reported_at_seconds >= since_seconds
    ]
    counts = merged(counted)
    return Measured(quantile_seconds(counts, P95), sum(counts))


def merged(rows: Iterable[Sequence[int]]) -> tuple[int, ...]:
    """Returns the counts of all together: those of the union of what was counted."""
    return tuple(sum(counts) for counts in zip_longest(*rows, fillvalue=0))


def quantile_seconds(counts: Sequence[int], share: float) -> float | None:
    """Returns a time that so large a share of the requests did not exceed; None where there were none.

    It is the end of the bucket in which the quantile lies: never below it, and at most 19 % above it, or
    1 ms. The last bucket has no end; a quantile in there is said to be its beginning or longer.
    """
    total, below = sum(counts), 0
    for bucket, count in enumerate(counts):
        below += count
        if count and below >= share * total:
            return BOUNDS_SECONDS[min(bucket, BUCKETS - 2)]
    return None
