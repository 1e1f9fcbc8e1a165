"""Service level objectives of a request, and goodput: how many requests a second meet all of them.

As in DistServe (Zhong et al., OSDI 2024, arXiv 2401.09670): a request counts if every one of its latencies is
within its objective. One that failed meets none.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from services.cli.bench.errors import BenchError
from services.cli.bench.exchange import Exchange
from services.cli.bench.quantities import duration_seconds, named_value

NAMES: Final = ("ttft", "tpot", "e2e")


@dataclass(frozen=True, slots=True)
class Objective:
    """The longest that one latency of a request may be."""

    name: str
    most_seconds: float


def parse_objective(text: str) -> Objective:
    """Returns the objective of `ttft:500ms`; BenchError says what could stand there."""
    name, value = named_value(text, "--slo", NAMES)
    seconds = duration_seconds(value)
    if seconds <= 0:
        raise BenchError("--slo needs a duration above 0.")
    return Objective(name, seconds)


def is_met(exchange: Exchange, objectives: Iterable[Objective]) -> bool:
    """Returns whether a request meets all; one of a single token has no TPOT, which then is met."""
    if exchange.failure:
        return False
    return all(_is_within(exchange, objective) for objective in objectives)


def _is_within(exchange: Exchange, objective: Objective) -> bool:
    if objective.name == "tpot":
        tpot = exchange.tpot_seconds
        return tpot is None or tpot <= objective.most_seconds
    seconds = exchange.ttft_seconds if objective.name == "ttft" else exchange.e2e_seconds
    return seconds is not None and seconds <= objective.most_seconds
