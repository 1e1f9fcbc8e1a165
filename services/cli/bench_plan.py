"""What the options of `comptoir bench` come to: a plan, and whether they fit together."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final

from deploy.models.tiny_eu_training.grammar import Grammar, parse_grammar
from services.cli.bench.arrivals import ArrivalProcess, Arrivals
from services.cli.bench.errors import BenchError
from services.cli.bench.lengths import parse_lengths
from services.cli.bench.load import (
    DEFAULT_REQUESTS,
    MOST_IN_FLIGHT,
    Bound,
    Closed,
    Load,
    Open,
    parse_levels,
    parse_users,
)
from services.cli.bench.metrics import Judged
from services.cli.bench.objectives import Objective, parse_objective
from services.cli.bench.prices import parse_prices
from services.cli.bench.prompts import chosen_languages
from services.cli.bench.quantities import duration_seconds
from services.cli.bench.trace import TracedRequest, read_trace
from services.cli.loading.plan import Plan

TEXTS: Final = Path(__file__).resolve().parents[2] / "deploy" / "models" / "tiny_eu_training" / "texts"
_DEFAULT_USERS: Final = 4
_MOST_TRACED: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class LoadOptions:
    """How much load, as it was typed."""

    concurrency: str = ""
    rate: str = ""
    arrivals: ArrivalProcess | None = None
    burstiness: float | None = None
    trace: Path | None = None
    max_in_flight: int = MOST_IN_FLIGHT
    requests: int | None = None
    duration: str = ""
    warmup_requests: int | None = None
    processes: int = 1


@dataclass(frozen=True, slots=True)
class TextOptions:
    """What is asked, as it was typed."""

    input_tokens: str
    output_tokens: str
    languages: str = ""
    seed: int = 0


@dataclass(frozen=True, slots=True)
class JudgeOptions:
    """By what the result is judged, as it was typed."""

    slo: tuple[str, ...] = ()
    price: tuple[str, ...] = ()
    gpu_price_per_hour: float | None = None
    gpus: int = 1
    currency: str = "EUR"


def plan_of(load: LoadOptions, text: TextOptions, judge: JudgeOptions) -> Plan:
    """Returns the plan; BenchError where options do not fit together."""
    if load.max_in_flight < load.processes:
        raise BenchError("Each of --processes needs a place of --max-in-flight.")
    trace = () if load.trace is None else _read_trace(load.trace)
    bound = _bound(load, trace)
    return Plan(
        levels=_levels(load, trace),
        grammars=grammars_of(text.languages),
        input_lengths=parse_lengths(text.input_tokens, "--input-tokens"),
        output_lengths=parse_lengths(text.output_tokens, "--output-tokens"),
        bound=bound,
        trace=trace,
        warm_up_requests=load.warmup_requests,
        seed=text.seed,
        judged=_judged(judge),
    )


def grammars_of(languages: str) -> dict[str, Grammar]:
    """Returns the sentence grammars of the languages; all six where none is named."""
    names = chosen_languages([name for name in languages.split(",") if name])
    return {name: parse_grammar(name, (TEXTS / f"{name}.txt").read_text(encoding="utf-8")) for name in names}


def body_of(extra: str, *, ignores_eos: bool) -> Mapping[str, Any]:
    """Returns what is laid over each request."""
    try:
        content = json.loads(extra) if extra else {}
    except ValueError:
        content = None
    if not isinstance(content, dict):
        raise BenchError("--extra-body must be a JSON object, such as '{\"temperature\": 0}'.")
    return ({"ignore_eos": True} if ignores_eos else {}) | content


def _levels(load: LoadOptions, trace: tuple[TracedRequest, ...]) -> tuple[Load, ...]:
    if load.concurrency and load.rate:
        raise BenchError("--concurrency is a closed load and --rate an open one; give one of them.")
    is_timed = bool(trace) and trace[0].at_seconds is not None
    if not load.rate:
        if load.arrivals is not None or load.burstiness is not None:
            raise BenchError("--arrivals and --burstiness say how requests of --rate come; give a rate too.")
        if is_timed and not load.concurrency:
            return (Open(None, load.max_in_flight),)
        return tuple(Closed(users) for users in parse_users(load.concurrency or str(_DEFAULT_USERS)))
    process, burstiness = _arrivals(load)
    rates = parse_levels(load.rate, "--rate")
    return tuple(Open(Arrivals(rate, process, burstiness), load.max_in_flight) for rate in rates)


def _arrivals(load: LoadOptions) -> tuple[ArrivalProcess, float]:
    default = ArrivalProcess.POISSON if load.burstiness is None else ArrivalProcess.GAMMA
    process = load.arrivals or default
    if (process is ArrivalProcess.GAMMA) != (load.burstiness is not None):
        raise BenchError("--arrivals gamma and --burstiness go together; below 1 is burstier than Poisson.")
    return process, load.burstiness or 1.0


def _bound(load: LoadOptions, trace: tuple[TracedRequest, ...]) -> Bound:
    seconds = duration_seconds(load.duration) if load.duration else None
    if load.requests is None and seconds is None:
        return Bound(len(trace) if trace else DEFAULT_REQUESTS)
    return Bound(load.requests, seconds)


def _judged(judge: JudgeOptions) -> Judged:
    objectives = tuple(parse_objective(text) for text in judge.slo)
    if len({objective.name for objective in objectives}) < len(objectives):
        raise BenchError("--slo names the same latency twice.")
    has_price = bool(judge.price) or judge.gpu_price_per_hour is not None
    prices = parse_prices(list(judge.price), judge.gpu_price_per_hour, judge.gpus, judge.currency)
    return Judged(objectives, prices if has_price else None)


def objectives_of(objectives: tuple[Objective, ...]) -> dict[str, float]:
    """Returns the objectives as the result has them."""
    return {objective.name: objective.most_seconds for objective in objectives}


def _read_trace(path: Path) -> tuple[TracedRequest, ...]:
    try:
        with path.open(encoding="utf-8") as lines:
            return tuple(read_trace(islice(lines, _MOST_TRACED), path.name))
    except (OSError, UnicodeDecodeError):
        raise BenchError(f"{path} cannot be read as text; check the path given to --trace.") from None
