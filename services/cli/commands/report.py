"""`comptoir report`: what the store knows, for people and programs."""

import json
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.table import Column, Table

from deploy.local.stack.options import DEFAULT_DATA_DIR
from services.cli.commands.report_cost import cost
from services.cli.operator_tls import Admin, AdminCommands
from services.cli.reports.asking import (
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
    how_late,
    is_late,
    store_of,
)
from services.cli.reports.questions import ERRORS, HEADROOM, KV, LATENCY, USAGE

report = AdminCommands(no_args_is_help=True, help="Tables from the store.")

_COLUMNS: Final = {
    "region": "region",
    "model": "model",
    "hour": "hour (UTC)",
    "requests": "requests",
    "ttft_p50_seconds": "TTFT p50 ms",
    "ttft_p95_seconds": "p95",
    "ttft_p99_seconds": "p99",
    "tps_per_request_p50": "TPS p50",
    "tps_per_request_p95": "p95",
}


@report.callback()
def _group() -> None:
    """Tables from the store."""


@report.command()
def latency(  # noqa: PLR0913, PLR0917 - one argument per option of the command line
    by: By = "",
    since: Since = "",
    until: Until = "",
    data_dir: DataDir = DEFAULT_DATA_DIR,
    clickhouse: ClickHouse = "",
    hours: Annotated[int, typer.Option(min=1, help="How far back, without --by and --since.")] = 24,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
    pseudonyms: SecretFiles = None,
    admin: Admin = "",
) -> None:
    """TTFT, TPOT and tokens per second of requests that ended by themselves.

    By region, model and hour; --by takes region, model, priority, replica, tenant, minute, hour and day.

    Examples:
      comptoir report latency --by model,priority --since 7d

      comptoir report latency --by minute --since 30m --csv

    """
    form = Form(as_json, as_csv)
    if not (by or since or until or as_csv):
        _latency_by_hour(data_dir, clickhouse, hours, as_json)
        return
    names = LATENCY.grouped_by(by)
    back = since or f"{hours}h"
    answer = answer_to(LATENCY, names, back, until, data_dir=data_dir, clickhouse=clickhouse)
    answer.name_tenants(data_dir, admin, pseudonyms)
    answer.show(form, LATENCY.measures, "There is no finished request in the store from")


@report.command()
def errors(  # noqa: PLR0913, PLR0917 - one argument per option of the command line
    by: By = "",
    since: Since = "24h",
    until: Until = "",
    data_dir: DataDir = DEFAULT_DATA_DIR,
    clickhouse: ClickHouse = "",
    as_json: AsJson = False,
    as_csv: AsCsv = False,
) -> None:
    """What went wrong, and who says so: a request may be in the numbers of several.

    By told_by and reason; --by takes region, model, outcome, http_status, hour and day too.

    Examples:
      comptoir report errors --since 1h

      comptoir report errors --by model,reason,day --since 7d

    """
    form = Form(as_json, as_csv)
    names = ERRORS.grouped_by(by)
    answer = answer_to(ERRORS, names, since, until, data_dir=data_dir, clickhouse=clickhouse)
    answer.show(form, ERRORS.measures, "Nothing went wrong, as far as the store knows, from")


@report.command()
def usage(  # noqa: PLR0913, PLR0917 - one argument per option of the command line
    by: By = "",
    since: Since = "24h",
    until: Until = "",
    data_dir: DataDir = DEFAULT_DATA_DIR,
    clickhouse: ClickHouse = "",
    as_json: AsJson = False,
    as_csv: AsCsv = False,
    pseudonyms: SecretFiles = None,
    admin: Admin = "",
) -> None:
    """Requests and tokens, every ending included.

    By region and model; --by takes priority, outcome, replica, tenant, hour and day too. Tenants have names
    for who holds the secret of their pseudonyms and reaches the router; all others see pseudonyms.

    Examples:
      comptoir report usage --by tenant --since 7d

      comptoir report usage --by day,model --since 30d --csv

    """
    form = Form(as_json, as_csv)
    names = USAGE.grouped_by(by)
    answer = answer_to(USAGE, names, since, until, data_dir=data_dir, clickhouse=clickhouse)
    answer.name_tenants(data_dir, admin, pseudonyms)
    answer.show(form, USAGE.measures, "Nobody used anything, as far as the store knows, from")


@report.command()
def headroom(  # noqa: PLR0913, PLR0917 - one argument per option of the command line
    by: By = "",
    since: Since = "1h",
    until: Until = "",
    data_dir: DataDir = DEFAULT_DATA_DIR,
    clickhouse: ClickHouse = "",
    as_json: AsJson = False,
    as_csv: AsCsv = False,
) -> None:
    """Queue, KV cache and free accelerator memory of replicas.

    By region, model and replica; --by takes minute, hour and day too.

    Examples:
      comptoir report headroom

      comptoir report headroom --by model,hour --since 24h

    """
    form = Form(as_json, as_csv)
    names = HEADROOM.grouped_by(by)
    answer = answer_to(HEADROOM, names, since, until, data_dir=data_dir, clickhouse=clickhouse)
    answer.show(form, HEADROOM.measures, "No replica told its load from")


@report.command()
def kv(  # noqa: PLR0913, PLR0917 - one argument per option of the command line
    by: By = "",
    since: Since = "24h",
    until: Until = "",
    data_dir: DataDir = DEFAULT_DATA_DIR,
    admin: Admin = "",
    pseudonyms: SecretFiles = None,
    clickhouse: ClickHouse = "",
    as_json: AsJson = False,
    as_csv: AsCsv = False,
) -> None:
    """KV-cache blocks that were predicted, and those that answers filled.

    By region and model; --by takes priority, replica, tenant, minute, hour and day too. A ratio is actual by
    predicted blocks.

    Examples:
      comptoir report kv

      comptoir report kv --by model,replica --since 7d --csv

    """
    form = Form(as_json, as_csv)
    names = KV.grouped_by(by)
    answer = answer_to(KV, names, since, until, data_dir=data_dir, clickhouse=clickhouse)
    answer.name_tenants(data_dir, admin, pseudonyms)
    answer.show(form, KV.measures, "Nothing was generated, as far as the store knows, from")


report.command()(cost)


def _latency_by_hour(data_dir: Path, clickhouse: str, hours: int, as_json: bool) -> None:
    store = store_of(data_dir, clickhouse)
    rows, lag = store.latency_by_hour(tuple(_COLUMNS), hours), store.lag()
    console = Console()
    if as_json:
        content = {"latency_by_hour": rows, **({} if lag is None else {"lag": lag})}
        console.out(json.dumps(content, default=str), highlight=False)
        return
    if rows:
        console.print(_table(rows))
    else:
        console.out(f"There is no finished request of the last {hours} hours in the store yet.")
    if lag is not None and is_late(lag):
        console.out(how_late(lag), highlight=False)


def _table(rows: list[dict[str, Any]]) -> Table:
    table = Table(*(Column(title, overflow="fold") for title in _COLUMNS.values()))
    for row in rows:
        table.add_row(*(_cell(name, row[name]) for name in _COLUMNS))
    return table


def _cell(name: str, value: Any) -> str:  # whatever the column holds
    if value is None:
        # Vectors have no first token.
        return "–"  # noqa: RUF001 - as tables write it
    if name.startswith("ttft"):
        return f"{1000 * value:.0f}"
    if name.startswith("tps_per_request"):
        return f"{value:.0f}"
    if name == "hour":
        return str(value.strftime("%m-%d %H:00"))
    return str(value)
