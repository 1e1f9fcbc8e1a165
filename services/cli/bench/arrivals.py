"""When requests of an open load are due: constant, Poisson, or in bursts, from a seeded generator.

The gaps are drawn from a gamma distribution with the mean 1 / rate, whose shape is the burstiness: 1 is a
Poisson process (independent arrivals), below 1 they come in bursts, above 1 more evenly, and constant is
the limit. vLLM's `bench serve` calls it the same. Gaps are not rescaled to hit the rate, which would undo
the draw.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum


class ArrivalProcess(StrEnum):
    """How the gaps between requests are drawn."""

    CONSTANT = "constant"
    POISSON = "poisson"
    GAMMA = "gamma"


@dataclass(frozen=True, slots=True)
class Arrivals:
    """A mean rate, and how evenly requests come; `burstiness` matters for gamma alone."""

    rate_per_second: float
    process: ArrivalProcess = ArrivalProcess.POISSON
    burstiness: float = 1.0


def due_seconds(arrivals: Arrivals, rng: random.Random) -> Iterator[float]:
    """Yields when each request is due, in seconds from the start, without an end; the first after a gap."""
    at = 0.0
    while True:
        at += _gap(arrivals, rng)
        yield at


def _gap(arrivals: Arrivals, rng: random.Random) -> float:
    mean = 1.0 / arrivals.rate_per_second
    if arrivals.process is ArrivalProcess.CONSTANT:
        return mean
    if arrivals.process is ArrivalProcess.POISSON:
        return rng.expovariate(arrivals.rate_per_second)
    return rng.gammavariate(arrivals.burstiness, mean / arrivals.burstiness)
