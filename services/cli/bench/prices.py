"""What a million tokens cost: by the hour of the accelerators and what came out, or by a list of prices."""

from dataclasses import dataclass
from typing import Final

from services.cli.bench.errors import BenchError
from services.cli.bench.quantities import named_value, number

_MILLION: Final = 1e6
_HOUR_SECONDS: Final = 3600.0
LISTED: Final = ("input", "output")


@dataclass(frozen=True, slots=True)
class Prices:
    """An hour of all accelerators, and a list of prices per million tokens; None where not given."""

    currency: str = "EUR"
    per_hour: float | None = None
    input_per_million: float | None = None
    output_per_million: float | None = None


@dataclass(frozen=True, slots=True)
class Work:
    """Tokens of requests that succeeded, and how long they took together."""

    input_tokens: int
    output_tokens: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Cost:
    """What it comes to; None where the price was not given, or nothing came out."""

    by_hour: float | None = None
    by_hour_per_million_output: float | None = None
    by_hour_per_million: float | None = None
    by_list: float | None = None
    by_list_per_million: float | None = None


def parse_prices(listed: list[str], per_gpu_hour: float | None, gpus: int, currency: str) -> Prices:
    """Returns the prices of `--price input:0.40 --price output:1.60` and of `--gpu-price-per-hour`."""
    found: dict[str, float] = {}
    for text in listed:
        name, value = named_value(text, "--price", LISTED)
        if name in found:
            raise BenchError(f"--price {name} is given twice.")
        found[name] = number(value, "--price")
    hour = None if per_gpu_hour is None else per_gpu_hour * gpus
    return Prices(currency, hour, found.get("input"), found.get("output"))


def cost_of(work: Work, prices: Prices) -> Cost:
    """Returns the cost. By the hour, idle time is charged too, and failed requests bring nothing."""
    total = work.input_tokens + work.output_tokens
    hour = None if prices.per_hour is None else prices.per_hour * work.seconds / _HOUR_SECONDS
    listed = None
    if prices.input_per_million is not None or prices.output_per_million is not None:
        by_input = work.input_tokens * (prices.input_per_million or 0.0)
        listed = (by_input + work.output_tokens * (prices.output_per_million or 0.0)) / _MILLION
    return Cost(
        hour,
        _per_million(hour, work.output_tokens),
        _per_million(hour, total),
        listed,
        _per_million(listed, total),
    )


def _per_million(cost: float | None, tokens: int) -> float | None:
    return None if cost is None or not tokens else cost / tokens * _MILLION
