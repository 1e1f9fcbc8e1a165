"""`comptoir report cost`: what tokens cost, how that is reckoned, and what would be if."""

import textwrap
from dataclasses import replace
from typing import Annotated, Any, Final

import typer
from rich.console import Console

from deploy.local.stack.errors import StackError
from deploy.local.stack.options import DEFAULT_DATA_DIR
from services.cli.adapters.gpu_catalog import load_gpus
from services.cli.operator_tls import Admin
from services.cli.reports.asking import (
    Answer,
    AsCsv,
    AsJson,
    By,
    ClickHouse,
    DataDir,
    Form,
    SecretFiles,
    Since,
    Until,
    answer_to,
)
from services.cli.reports.cost import Paid, explained
from services.cli.reports.cost_questions import COST, cost_report
from services.cli.reports.questions import Measure
from services.cli.reports.what_if import parse_what_if, supposed

_FURTHER: Final = (
    Measure("utilisation", "", "busy", "share"),
    Measure("cost_per_million_tokens", "", "per million", "money"),
)
_SUPPOSED: Final = Measure("what_if_per_million", "", "what if", "money")
# Left out of a table that has one column more.
_PARTS: Final = ("served_cost", "cancelled_cost", "idle_cost")
_WIDTH: Final = 80
_HOUR_SECONDS: Final = 3_600


def cost(  # noqa: PLR0913, PLR0917 - one argument per option of the command line
    by: By = "",
    since: Since = "24h",
    until: Until = "",
    what_if: Annotated[
        str,
        typer.Option(metavar="SETTINGS", help="What it would cost with gpu=, utilisation=, price=, speed=."),
    ] = "",
    explain: Annotated[bool, typer.Option("--explain", help="Print the arithmetic of each row.")] = False,
    data_dir: DataDir = DEFAULT_DATA_DIR,
    clickhouse: ClickHouse = "",
    as_json: AsJson = False,
    as_csv: AsCsv = False,
    pseudonyms: SecretFiles = None,
    admin: Admin = "",
) -> None:
    """What the accelerators cost, what of it was idle or cancelled, and what a million tokens cost.

    By model and GPU class; --by takes region, hour and day too, or tenant with region, model and day. Prices
    are those of usage.gpu_prices, each as it was at the time. Idle time is nobody's: with --by tenant it has
    a row of its own.

    Examples:
      comptoir report cost --since 7d --explain

      comptoir report cost --by tenant --since 30d --csv

      comptoir report cost --what-if gpu=l40s,utilisation=0.8

    """
    form = Form(as_json, as_csv)
    report, names = cost_report(by)
    if report is not COST and (what_if or explain):
        raise StackError(
            "--what-if and --explain are about replicas: use them with --by model, gpu, hour or day."
        )
    asked = what_if and parse_what_if(what_if)
    if asked and "gpu" not in names:
        names = (*names, "gpu")
    answer = answer_to(report, names, since, until, data_dir=data_dir, clickhouse=clickhouse)
    answer.name_tenants(data_dir, admin, pseudonyms)
    measures = report.measures
    notes: list[str] = []
    if report is COST:
        measures = (*measures, *_FURTHER)
        _reckon(answer.rows)
        if asked:
            measures = (
                *(one if one.name not in _PARTS else replace(one, is_shown=False) for one in measures),
                _SUPPOSED,
            )
            notes = _suppose(answer, what_if)
    answer.show(form, measures, "No accelerator was there, as far as the store knows, from")
    if not (as_json or as_csv):
        _say_more(answer.rows, [*notes, *(_arithmetic(answer) if explain else [])])


def _reckon(rows: list[dict[str, Any]]) -> None:
    for row in rows:
        paid = Paid.of(row)
        row["utilisation"] = None if paid is None else paid.utilisation
        row["cost_per_million_tokens"] = None if paid is None else paid.per_million


def _suppose(answer: Answer, what_if: str) -> list[str]:
    """Adds to each row what a million tokens would cost, and returns where the numbers are from."""
    asked, catalog = parse_what_if(what_if), load_gpus(None, None)
    prices = answer.store.price_list()
    notes: dict[str, None] = {}
    for row in answer.rows:
        paid, currency = Paid.of(row), str(row["currency"])
        row[_SUPPOSED.name] = None
        if paid is not None:
            listed = {str(one["gpu"]): one["price_per_hour"] for one in prices if one["currency"] == currency}
            what, source = supposed(asked, str(row["group_gpu"]), listed, currency, catalog)
            row[_SUPPOSED.name] = what.per_million(paid)
            notes[f"What if {what_if}, on what runs on {row['group_gpu']}: {source}."] = None
    return list(notes)


def _arithmetic(answer: Answer) -> list[str]:
    lines = [
        (
            "Cost per million tokens = cost of an hour / (tokens per second x 3600 / 1000000); tokens are"
            " input and output of requests that ended by themselves, and the cost has idle time in it."
        )
    ]
    for row in answer.rows:
        paid = Paid.of(row)
        lines.append(" ".join(str(row[f"group_{name}"]) for name in answer.by))
        if paid is None:
            lines.append("  its replicas have no price or left no samples")
        else:
            lines += [f"  {step}" for step in explained(paid, str(row["currency"]))]
    return lines


def _batch(rows: list[dict[str, Any]]) -> list[str]:
    """Says what the batch lane saved, where it did anything."""
    paid, saved = (sum(row.get(name) or 0.0 for row in rows) for name in ("batch_cost", "batch_saved"))
    if not paid:
        return []
    return [f"Batch requests cost {paid:,.4f} and saved {saved:,.4f}, by the price that other requests had."]


def _say_more(rows: list[dict[str, Any]], notes: list[str]) -> None:
    console = Console(markup=False, emoji=False)
    currencies = sorted({str(row["currency"]) for row in rows} - {""})
    unpriced = sum(row["unpriced_requests"] for row in rows)
    # Of tenants the store knows days, and no seconds.
    hours = sum(row.get("unpriced_gpu_seconds", 0.0) for row in rows) / _HOUR_SECONDS
    said = []
    if currencies:
        said.append(f"In {', '.join(currencies)}, by the price list of the time.")
    if any(row["currencies"] > 1 for row in rows):
        said.append("A row adds up several currencies: group by hour or day to part them.")
    said += _batch(rows)
    if unpriced or hours or (rows and not currencies):
        said.append(
            f"{hours:,.1f} accelerator hours and {unpriced:,} requests have no cost: declare"
            " usage.gpu_prices for the class of their replicas (generator.gpu_class) and restart the"
            " pipeline, or wait for a replica's second sample."
        )
    for note in (*said, *notes):
        console.out(note if note.startswith(" ") else textwrap.fill(note, _WIDTH), highlight=False)
