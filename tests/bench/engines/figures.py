"""What was measured of engines, the plan beside it, and both as tables."""

import statistics
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

CPU_HEAD: Final = ("streams", "engine", "CPU of the generator, µs/token", "÷ AsyncLLM", "tokens/s")
# Whose row the others are held against, and whom the plan foretells.
ASYNC_LLM: Final = "AsyncLLM in process"
VLLM: Final = "vllm"
PLAN_HEAD: Final = ("streams", "planned tokens/s", "measured tokens/s", "planned ÷ measured")


@dataclass(frozen=True, slots=True)
class EngineFigures:
    """One engine at one number of streams, a value for each round."""

    streams: int
    engine: str
    cpu_microseconds_per_token: tuple[float, ...]
    tokens_per_second: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Planned:
    """The plan's tokens per second at one number of streams."""

    streams: int
    tokens_per_second: float


@dataclass(frozen=True, slots=True)
class EngineRun:
    """A whole run, what the machine read from its memory in a second, and its load average before."""

    bytes_per_second: float
    load_average: float
    engines: tuple[EngineFigures, ...]
    planned: tuple[Planned, ...]


def cpu_rows(measured: Sequence[EngineFigures], floor: str) -> Iterator[tuple[str, ...]]:
    """Yields a row for each engine and number of streams; ratios are of the same round."""
    bare = {one.streams: one.cpu_microseconds_per_token for one in measured if one.engine == floor}
    for one in measured:
        below = bare.get(one.streams, ())
        ratios = [
            own / other for own, other in zip(one.cpu_microseconds_per_token, below, strict=False) if other
        ]
        yield (
            str(one.streams),
            one.engine,
            spread(one.cpu_microseconds_per_token, 0),
            "1" if one.engine == floor else spread(ratios, 2),
            spread(one.tokens_per_second, 0),
        )


def plan_rows(
    planned: Iterable[Planned], measured: Sequence[EngineFigures], engine: str
) -> Iterator[tuple[str, ...]]:
    """Yields the plan beside what was measured of an engine, and by how much the plan is off."""
    found = {one.streams: one.tokens_per_second for one in measured if one.engine == engine}
    for one in planned:
        rates = found.get(one.streams, ())
        yield (
            str(one.streams),
            f"{one.tokens_per_second:.0f}",
            spread(rates, 0),
            spread([one.tokens_per_second / rate for rate in rates if rate], 1),
        )


def spread(values: Sequence[float], digits: int) -> str:
    """Returns the median, with the least and the most."""
    if not values:
        return "-"
    ends = f"{min(values):.{digits}f} to {max(values):.{digits}f}"
    return (
        f"{statistics.median(values):.{digits}f} ({ends})" if len(values) > 1 else f"{values[0]:.{digits}f}"
    )
