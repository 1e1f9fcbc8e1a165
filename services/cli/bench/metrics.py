"""The numbers of a run, from what was seen of its requests."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

from services.cli.bench.exchange import INTERRUPTED, Exchange
from services.cli.bench.objectives import Objective, is_met
from services.cli.bench.percentiles import shape_of
from services.cli.bench.prices import Prices, Work, cost_of
from services.cli.bench.results import (
    CostPart,
    Distribution,
    Goodput,
    Latencies,
    LoadLevel,
    Rates,
    Requests,
    Run,
    Tokens,
)
from services.cli.bench.sender import Senders, client_of
from services.cli.bench.timeline import timeline


@dataclass(frozen=True, slots=True)
class Judged:
    """By what a run is judged."""

    objectives: tuple[Objective, ...] = ()
    prices: Prices | None = None


@dataclass(frozen=True, slots=True)
class Observed:
    """A run as it was seen, joined over the processes that sent it."""

    level: LoadLevel
    exchanges: Sequence[Exchange]
    warm_up_requests: int
    senders: Senders


def run_of(observed: Observed, judged: Judged) -> Run:
    """Returns the run's numbers. Requests that were interrupted are counted, and measured nowhere."""
    ended = [exchange for exchange in observed.exchanges if exchange.failure != INTERRUPTED]
    good = [exchange for exchange in ended if not exchange.failure]
    seconds = _span_seconds(ended)
    work = Work(_total(good, "input_tokens"), _total(good, "output_tokens"), seconds)
    cost = None if judged.prices is None else CostPart(**asdict(cost_of(work, judged.prices)))
    return Run(
        load=observed.level,
        seconds=seconds,
        warm_up_requests=observed.warm_up_requests,
        requests=_requests(observed.exchanges, ended, good),
        tokens=Tokens(
            input=work.input_tokens,
            output=work.output_tokens,
            counted_by=Counter(x.counted_by.value for x in good),
        ),
        rates=Rates(
            requests_per_second=_rate(len(good), seconds),
            output_tokens_per_second=_rate(work.output_tokens, seconds),
            tokens_per_second=_rate(work.input_tokens + work.output_tokens, seconds),
        ),
        latencies=_latencies(good),
        goodput=_goodput(ended, judged.objectives, seconds),
        cost=cost,
        client=client_of(observed.senders, ended),
        timeline=timeline(ended),
    )


def distribution(values: Iterable[float | None]) -> Distribution | None:
    """Returns the distribution of the values that are there; None where none is."""
    shape = shape_of([value for value in values if value is not None])
    return None if shape is None else Distribution(**asdict(shape))


def _requests(
    all_of_them: Sequence[Exchange], ended: Sequence[Exchange], good: Sequence[Exchange]
) -> Requests:
    errors = Counter(exchange.failure for exchange in ended if exchange.failure)
    return Requests(
        sent=len(all_of_them),
        succeeded=len(good),
        failed=len(ended) - len(good),
        interrupted=len(all_of_them) - len(ended),
        errors=dict(errors.most_common()),
    )


def _latencies(good: Sequence[Exchange]) -> Latencies:
    return Latencies(
        ttft_seconds=distribution(x.ttft_seconds for x in good),
        tpot_seconds=distribution(x.tpot_seconds for x in good),
        itl_seconds=distribution(gap for x in good for gap in x.itl_seconds()),
        e2e_seconds=distribution(x.e2e_seconds for x in good),
        send_late_seconds=distribution(x.send_late_seconds for x in good),
        tps_per_request=distribution(x.tps for x in good),
        input_tokens=distribution(float(x.input_tokens) for x in good),
        output_tokens=distribution(float(x.output_tokens) for x in good),
    )


def _goodput(ended: Sequence[Exchange], objectives: Sequence[Objective], seconds: float) -> Goodput | None:
    if not objectives:
        return None
    met = sum(is_met(exchange, objectives) for exchange in ended)
    return Goodput(met=met, share=met / len(ended) if ended else 0.0, requests_per_second=_rate(met, seconds))


def _span_seconds(ended: Sequence[Exchange]) -> float:
    if not ended:
        return 0.0
    return max(x.ended_seconds for x in ended) - min(x.scheduled_seconds for x in ended)


def _total(exchanges: Iterable[Exchange], name: str) -> int:
    return sum(getattr(exchange, name) for exchange in exchanges)


def _rate(count: float, seconds: float) -> float:
    return count / seconds if seconds > 0 else 0.0
