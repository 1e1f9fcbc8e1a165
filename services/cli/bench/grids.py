"""A result as tables that people read, on a terminal and on a page; pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from services.cli.bench.comparison import Compared, Pair, level_of
from services.cli.bench.results import Distribution, Result, Run

NOTHING: Final = "–"  # noqa: RUF001 - as tables write it
_PERCENTILES: Final = (50, 90, 95, 99)
_LATENCIES: Final = (
    ("TTFT", "ttft_seconds"),
    ("TPOT", "tpot_seconds"),
    ("ITL", "itl_seconds"),
    ("E2E", "e2e_seconds"),
)
# What is no difference between two runs of the same.
_NOISE: Final = 0.03


@dataclass(frozen=True, slots=True)
class Grid:
    """A table: title, names of columns, rows; from column `first_numbers` on they are set to the right."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    first_numbers: int = 1


def grids_of(result: Result) -> list[Grid]:
    """Returns the tables of a result: work, latencies, and cost where a price was given."""
    grids = [_work(result), _latency_grid(result)]
    if any(run.cost for run in result.runs):
        grids.append(_cost(result))
    return grids


def notes_of(result: Result) -> Iterator[str]:
    """Yields what else is to be said: how tokens were counted, what failed, whether the client kept up."""
    if not result.is_complete and not any(run.client.lost_processes for run in result.runs):
        yield "Interrupted: these are the requests that had ended by then."
    counted = {name for run in result.runs for name in run.tokens.counted_by}
    words = {
        "usage": "the endpoint's usage",
        "tokenizer": "the given tokenizer",
        "events": "events: one token for each event with output",
    }
    if counted:
        yield f"Output tokens are counted by {' and '.join(words[name] for name in sorted(counted))}."
    for run in result.runs:
        for error, count in run.requests.errors.items():
            yield f"{level_of(run)}: {count} request{'' if count == 1 else 's'} ended with {error}."
        for warning in run.client.warnings:
            yield f"{level_of(run)}: {warning}"


def comparison_grid(pair: Pair) -> Grid:
    """Returns two results of one level beside each other."""
    figures = (one for one in pair.figures if one.before is not None or one.after is not None)
    rows = tuple(_compared_row(one) for one in figures)
    return Grid(pair.level, ("", "before", "after", "change", ""), rows)


def _compared_row(one: Compared) -> tuple[str, ...]:
    title = one.figure.title + (f", {one.figure.unit}" if one.figure.unit else "")
    cells = (
        _number(None if value is None else value * one.figure.scale) for value in (one.before, one.after)
    )
    change = one.change
    if change is None:
        return (title, *cells, NOTHING, "")
    if abs(change) < _NOISE:
        verdict = "as before"
    else:
        verdict = "better" if (change > 0) is one.figure.is_more_better else "worse"
    return (title, *cells, f"{100 * change:+.1f} %", verdict)


def _work(result: Result) -> Grid:
    has_goodput = any(run.goodput for run in result.runs)
    columns = ("load", "ok", "failed", "seconds", "req/s", "output/s", "tokens/s", "TPS/request")
    rows = tuple((*_work_row(run), *([_goodput(run)] if has_goodput else [])) for run in result.runs)
    return Grid(
        "Work: requests and tokens per second, and TPS as the median reader has it",
        (*columns, *(["goodput"] if has_goodput else [])),
        rows,
    )


def _work_row(run: Run) -> tuple[str, ...]:
    tps = run.latencies.tps_per_request
    return (
        level_of(run),
        str(run.requests.succeeded),
        str(run.requests.failed),
        _number(run.seconds),
        _number(run.rates.requests_per_second),
        _number(run.rates.output_tokens_per_second),
        _number(run.rates.tokens_per_second),
        NOTHING if tps is None else _number(tps.at(50)),
    )


def _goodput(run: Run) -> str:
    if run.goodput is None:
        return NOTHING
    return f"{_number(run.goodput.requests_per_second)} ({100 * run.goodput.share:.0f} %)"


def _latency_grid(result: Result) -> Grid:
    rows = tuple(row for run in result.runs for row in _latency_rows(run))
    columns = ("load", "latency", "mean", *(f"p{at}" for at in _PERCENTILES), "most")
    return Grid("Latency, in milliseconds", columns, rows, 2)


def _latency_rows(run: Run) -> Iterator[tuple[str, ...]]:
    for title, name in _LATENCIES:
        found: Distribution | None = getattr(run.latencies, name)
        if found is not None:
            numbers = (found.mean, *(found.at(at) for at in _PERCENTILES), found.at(100))
            yield (level_of(run), title, *(_number(1000 * value) for value in numbers))


def _cost(result: Result) -> Grid:
    """Returns the costs that there are: a column is left out where no price was given for it."""
    columns = ("load", "accelerators", "per M output", "per M tokens", "by list", "by list per M")
    rows = [_cost_row(run) for run in result.runs]
    kept = [at for at in range(len(columns)) if any(row[at] != NOTHING for row in rows)]
    return Grid(
        f"Cost, in {result.currency}; M is a million tokens",
        tuple(columns[at] for at in kept),
        tuple(tuple(row[at] for at in kept) for row in rows),
    )


def _cost_row(run: Run) -> tuple[str, ...]:
    cost = run.cost
    amounts: Sequence[float | None] = (
        ()
        if cost is None
        else (
            cost.by_hour,
            cost.by_hour_per_million_output,
            cost.by_hour_per_million,
            cost.by_list,
            cost.by_list_per_million,
        )
    )
    return (level_of(run), *(_number(amount) for amount in amounts or (None,) * 5))


def _number(value: float | None) -> str:
    """Returns three digits that count, or all those before the point."""
    if value is None:
        return NOTHING
    size = abs(value)
    if size == 0 or size >= 100:  # noqa: PLR2004 - three digits
        return f"{value:,.0f}"
    if size >= 10:  # noqa: PLR2004 - and here
        return f"{value:.1f}"
    return f"{value:.3g}" if size < 1 else f"{value:.2f}"
