"""Arrivals of the simulation: shapes of real traffic, drawn from a seed."""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from services.contract.prefix import PREFIX_ENDS_BYTES
from services.router.domain.placement.prefix_memory import Beginning

# What a prompt's bound, which the router is told, is of its tokens.
BYTES_PER_TOKEN: Final = 4
_MOST_INPUT_TOKENS: Final = 16_000
_MOST_OUTPUT_TOKENS: Final = 1_024
_PREFIXES_PER_REPLICA: Final = 6
_PREFIX_TOKENS: Final = 3_072
_BURST_SECONDS: Final = 10.0
_BURST_SHARE: Final = 0.2
_QUIET_FACTOR: Final = 0.5


@dataclass(frozen=True, slots=True)
class Request:
    """One request: when it comes, its true size, and which prefix it shares with others, if any."""

    number: int
    arrived_seconds: float
    input_tokens: int
    output_tokens: int
    prefix: int | None = None
    prefix_tokens: int = 0

    @property
    def beginning(self) -> Beginning:
        """Returns what stands for its first bytes: the same as others' as far as it shares a prefix."""
        ends = (end // BYTES_PER_TOKEN for end in PREFIX_ENDS_BYTES)
        shared, own = self.prefix or 0, -self.number
        return Beginning(
            1,
            [
                hash((shared, end)) if end <= self.prefix_tokens else hash((shared, own, end))
                for end in ends
                if end <= self.input_tokens
            ],
        )


@dataclass(frozen=True, slots=True)
class Shape:
    """How requests come and how large they are; `rate` is per second and replica."""

    name: str
    rate: float
    gap: Callable[[random.Random, float, float], float]
    size: Callable[[random.Random], tuple[int, int]]
    shares_prefixes: bool = False
    is_skewed: bool = False


def arrivals(
    shape: Shape, *, replicas: int, seconds: float, seed: int, share: float = 1.0
) -> Iterator[Request]:
    """Yields the requests of one run in the order of their arrival; the same ones for the same seed.

    `share` is the part of the replicas' capacity that is there.
    """
    draw = random.Random(f"{shape.name} {replicas} {seed}")
    rate, now_seconds, number = shape.rate * replicas * share, 0.0, 0
    while True:
        now_seconds += shape.gap(draw, rate, now_seconds)
        if now_seconds >= seconds:
            return
        input_tokens, output_tokens = shape.size(draw)
        prefix = draw.randrange(_PREFIXES_PER_REPLICA * replicas) if shape.shares_prefixes else None
        prefix_tokens = 0 if prefix is None else _PREFIX_TOKENS
        number += 1
        yield Request(number, now_seconds, input_tokens + prefix_tokens, output_tokens, prefix, prefix_tokens)


def _steady(draw: random.Random, rate: float, now_seconds: float) -> float:
    del now_seconds
    return draw.expovariate(rate)


def _bursty(draw: random.Random, rate: float, now_seconds: float) -> float:
    """A fifth of the time has more than half of the requests."""
    is_burst = now_seconds % _BURST_SECONDS < _BURST_SHARE * _BURST_SECONDS
    most = (1 - _QUIET_FACTOR * (1 - _BURST_SHARE)) / _BURST_SHARE
    return draw.expovariate(rate * (most if is_burst else _QUIET_FACTOR))


def _even(draw: random.Random) -> tuple[int, int]:
    return draw.randint(400, 1_200), draw.randint(100, 300)


def _heavy(draw: random.Random) -> tuple[int, int]:
    """Most prompts are short, and a few are a hundred times as long (log-normal, sigma 1.4)."""
    input_tokens = min(_MOST_INPUT_TOKENS, max(16, round(draw.lognormvariate(6.2, 1.4))))
    return input_tokens, min(_MOST_OUTPUT_TOKENS, max(8, round(draw.lognormvariate(4.6, 0.9))))


def _short(draw: random.Random) -> tuple[int, int]:
    return draw.randint(50, 400), draw.randint(50, 200)


SHAPES: Final = (
    Shape("steady", 8.0, _steady, _even),
    Shape("bursty", 7.0, _bursty, _even),
    Shape("heavy-tailed prompts", 5.5, _steady, _heavy, is_skewed=True),
    Shape("shared prefixes", 5.0, _steady, _short, shares_prefixes=True),
)
