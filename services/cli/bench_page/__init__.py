"""A result as one page of HTML that asks nobody for anything: tables, and plots by uPlot, which is inside."""

import html
import json
from collections.abc import Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable
from string import Template
from typing import Any, Final

from services.cli.bench.comparison import level_of
from services.cli.bench.grids import Grid, grids_of, notes_of
from services.cli.bench.results import Distribution, Result, Run

_OWN: Final = files(__name__)
# The console's page has it, and its licence, already.
_LIBRARY: Final = files("services") / "console" / "page" / "static"
_CURVES: Final = (
    ("ttft", "TTFT", "ttft_seconds", "Time to first token"),
    ("tpot", "TPOT", "tpot_seconds", "Mean time of a token after the first"),
    ("e2e", "E2E", "e2e_seconds", "Whole answer"),
)
_MILLISECONDS: Final = 1000.0


def page_of(result: Result) -> str:
    """Returns the whole page."""
    title = result.name or f"{result.workload.model} at {result.started_at[:16].replace('T', ' ')} UTC"
    plots = list(_plots(result))
    return Template(_text(_OWN, "page.html")).substitute(
        title=html.escape(title),
        facts="".join(_facts(result)),
        notes="".join(f"<li>{html.escape(note)}</li>" for note in notes_of(result)),
        tables="".join(map(_table, grids_of(result))),
        plots="".join(_figure(plot) for plot in plots),
        style=_text(_LIBRARY, "uPlot.min.css") + _text(_OWN, "page.css"),
        locale=_text(_LIBRARY, "locale.js"),
        library=_text(_LIBRARY, "uPlot.iife.min.js"),
        script=_text(_OWN, "page.js"),
        data=_for_script(plots),
        licence=html.escape(_text(_LIBRARY, "uPlot.LICENSE")),
    )


def _text(folder: Traversable, name: str) -> str:
    return folder.joinpath(name).read_text(encoding="utf-8")


def _for_script(value: Any) -> str:  # what JSON can hold
    """Returns JSON that no parser of HTML takes for an end of the script."""
    return json.dumps(value, ensure_ascii=True).replace("<", "\\u003c")


def _facts(result: Result) -> Iterator[str]:
    work = result.workload
    facts = {
        "Endpoint": f"{work.endpoint}, {work.api}, {'streamed' if work.streamed else 'whole answers'}",
        "Model": work.model,
        "Prompts": f"{work.input_tokens} tokens, {', '.join(work.languages)}",
        "Answers": f"{work.output_tokens} tokens",
        "Seed": str(work.seed),
        "Objectives": ", ".join(f"{name} {1000 * most:g} ms" for name, most in result.objectives.items()),
        "Started": f"{result.started_at}, comptoir {result.comptoir}",
    }
    for name, fact in facts.items():
        if fact:
            yield f"<dt>{name}</dt><dd>{html.escape(fact)}</dd>"


def _table(grid: Grid) -> str:
    head = "".join(
        f'<th scope="col"{"" if number >= grid.first_numbers else " class=name"}>{html.escape(name)}</th>'
        for number, name in enumerate(grid.columns)
    )
    body = "".join(f"<tr>{''.join(_cells(grid, row))}</tr>" for row in grid.rows)
    caption = f"<caption>{html.escape(grid.title)}</caption>"
    table = f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    return f'<div class="wide" tabindex="0">{table}</div>'


def _cells(grid: Grid, row: tuple[str, ...]) -> Iterator[str]:
    for number, cell in enumerate(row):
        text = html.escape(cell)
        yield f'<th scope="row">{text}</th>' if number < grid.first_numbers else f"<td>{text}</td>"


def _figure(plot: dict[str, Any]) -> str:
    title, words = html.escape(plot["title"]), html.escape(plot["words"])
    return (
        f"<figure><figcaption><strong>{title}</strong> {words}</figcaption>"
        f'<div class="plot" id="{plot["id"]}" role="img" aria-label="{title}. {words}"></div></figure>'
    )


def _plots(result: Result) -> Iterator[dict[str, Any]]:
    """Yields what each plot shows; the tables have the same in numbers."""
    if len(result.runs) > 1:
        yield _sweep(result)
    for name, short, field, words in _CURVES:
        series = [(level_of(run), found) for run in result.runs if (found := getattr(run.latencies, field))]
        if series:
            yield _curve(
                name, f"{short} by percentile", f"{words}: so many of a hundred were as fast.", series
            )
    for number, run in enumerate(result.runs):
        if run.timeline:
            yield _course(number, run)


def _curve(name: str, title: str, words: str, series: list[tuple[str, Distribution]]) -> dict[str, Any]:
    values = [[_MILLISECONDS * value for value in found.percentiles] for _, found in series]
    return {
        "id": name,
        "title": title,
        "words": words,
        "x": {"label": "percentile", "values": list(range(101))},
        "y": [{"label": "ms"}],
        "series": [
            {"label": level, "values": own, "axis": 0} for (level, _), own in zip(series, values, strict=True)
        ],
    }


def _sweep(result: Result) -> dict[str, Any]:
    """Throughput against latency, a point for each level in the order of throughput."""
    runs = sorted(result.runs, key=lambda run: run.rates.output_tokens_per_second)

    def milliseconds(field: str) -> list[float | None]:
        found: list[Distribution | None] = [getattr(run.latencies, field) for run in runs]
        return [None if one is None else _MILLISECONDS * one.at(95) for one in found]

    return {
        "id": "sweep",
        "title": "Latency by throughput",
        "words": "Each point is a level of load: what it brings, and what it costs those who wait.",
        "x": {"label": "output tokens/s", "values": [run.rates.output_tokens_per_second for run in runs]},
        "y": [{"label": "TTFT p95, ms"}, {"label": "TPOT p95, ms"}],
        "series": [
            {"label": "TTFT p95", "values": milliseconds("ttft_seconds"), "axis": 0, "points": True},
            {"label": "TPOT p95", "values": milliseconds("tpot_seconds"), "axis": 1, "points": True},
        ],
    }


def _course(number: int, run: Run) -> dict[str, Any]:
    moments = run.timeline
    return {
        "id": f"course-{number}",
        "title": f"{level_of(run)}: course of the run",
        "words": "Events with output per second, and requests in flight.",
        "x": {"label": "seconds", "values": [moment.at_seconds for moment in moments]},
        "y": [{"label": "events/s"}, {"label": "requests in flight"}],
        "series": [
            {
                "label": "events/s",
                "values": [moment.events / moment.seconds for moment in moments],
                "axis": 0,
            },
            {"label": "in flight", "values": [moment.in_flight for moment in moments], "axis": 1},
        ],
    }
