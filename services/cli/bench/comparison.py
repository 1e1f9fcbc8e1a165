"""Two results beside each other: the same level of both, number by number, and which way is better."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from services.cli.bench.errors import BenchError
from services.cli.bench.results import Distribution, Result, Run


@dataclass(frozen=True, slots=True)
class Figure:
    """A number of a run; `scale` and `unit` are how people read it."""

    title: str
    read: Callable[[Run], float | None]
    unit: str = ""
    scale: float = 1.0
    is_more_better: bool = False


@dataclass(frozen=True, slots=True)
class Compared:
    """A figure of both; `change` is (after - before) / before, and None where there is no such number."""

    figure: Figure
    before: float | None
    after: float | None

    @property
    def change(self) -> float | None:
        """By which share it grew."""
        if self.before is None or self.after is None or self.before == 0:
            return None
        return (self.after - self.before) / self.before


@dataclass(frozen=True, slots=True)
class Pair:
    """A level that both results have, and its figures."""

    level: str
    figures: tuple[Compared, ...]


def _latency(name: str, percentile: int) -> Callable[[Run], float | None]:
    def read(run: Run) -> float | None:
        found: Distribution | None = getattr(run.latencies, name)
        return None if found is None else found.at(percentile)

    return read


def _latency_figures() -> Iterator[Figure]:
    for title, name in (("TTFT", "ttft_seconds"), ("TPOT", "tpot_seconds"), ("ITL", "itl_seconds")):
        for percentile in (50, 95, 99):
            yield Figure(f"{title} p{percentile}", _latency(name, percentile), "ms", 1000.0)
    for percentile in (50, 95, 99):
        yield Figure(f"E2E p{percentile}", _latency("e2e_seconds", percentile), "s")


FIGURES: Final = (
    Figure("requests/s", lambda run: run.rates.requests_per_second, is_more_better=True),
    Figure("output tokens/s", lambda run: run.rates.output_tokens_per_second, is_more_better=True),
    *_latency_figures(),
    Figure("TPS per request p50", _latency("tps_per_request", 50), is_more_better=True),
    Figure("failed", lambda run: float(run.requests.failed)),
    Figure(
        "goodput, requests/s",
        lambda run: None if run.goodput is None else run.goodput.requests_per_second,
        is_more_better=True,
    ),
    Figure(
        "cost per million output tokens",
        lambda run: None if run.cost is None else run.cost.by_hour_per_million_output,
    ),
)


def level_of(run: Run) -> str:
    """Returns how people call the level of a run; the same in two results compares."""
    if run.load.kind == "closed":
        return f"{run.load.users} user{'' if run.load.users == 1 else 's'}"
    if run.load.rate_per_second is None:
        return "trace"
    burst = "" if run.load.burstiness is None else f" {run.load.burstiness:g}"
    return f"{run.load.rate_per_second:g}/s {run.load.arrivals}{burst}"


def compare(before: Result, after: Result) -> list[Pair]:
    """Returns what both measured; BenchError where they have no level in both."""
    others = {level_of(run): run for run in after.runs}
    pairs = [
        Pair(
            level, tuple(Compared(figure, figure.read(run), figure.read(others[level])) for figure in FIGURES)
        )
        for run in before.runs
        if (level := level_of(run)) in others
    ]
    if not pairs:
        raise BenchError("The two results have no level of load in both; bench both with the same.")
    return pairs


def differences(before: Result, after: Result) -> list[str]:
    """Returns what differs in what was asked, by which the numbers may differ too."""
    ours, theirs = before.workload.model_dump(), after.workload.model_dump()
    return [name for name in ours if name != "endpoint" and ours[name] != theirs[name]]
