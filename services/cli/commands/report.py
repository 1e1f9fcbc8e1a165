"""`comptoir report`: what the store knows, for people and programs."""

import json
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.table import Table

from deploy.local.stack.options import DEFAULT_DATA_DIR
from deploy.local.stack.paths import DataPaths
from deploy.local.stack.state import missing_state, read_state
from services.cli.adapters.store import Store

report = typer.Typer(no_args_is_help=True, help="Tables from the store.")

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

# The pipeline measures every few seconds, so a store that keeps up seems to be behind by that.
_BEHIND_SECONDS: Final = 15


@report.callback()
def _group() -> None:
    """Tables from the store."""


@report.command()
def latency(
    data_dir: Annotated[Path, typer.Option(help="The data folder of a local stack.")] = DEFAULT_DATA_DIR,
    clickhouse: Annotated[
        str, typer.Option(metavar="URL", help="Another store than the local stack's.")
    ] = "",
    hours: Annotated[int, typer.Option(min=1, help="How far back.")] = 24,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """TTFT and output tokens per second (per request) by region, model and hour."""
    url = clickhouse
    if not url:
        paths = DataPaths(data_dir.resolve())
        state = read_state(paths)
        if state is None:
            raise missing_state(paths.root)
        url = str(state["clickhouse_url"])
    store = Store(url)
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
    if lag is not None and lag["behind_seconds"] > _BEHIND_SECONDS:
        console.out(_how_late(lag), highlight=False)


def _how_late(lag: dict[str, Any]) -> str:
    """Returns one line for a store that is behind, and what it waits for."""
    behind = f"Rows up to {lag['stored_until']:%H:%M:%S} UTC; {lag['behind_seconds']} s behind"
    return f"{behind}, paused for {lag['paused_for']}." if lag["paused_for"] else f"{behind}."


def _table(rows: list[dict[str, Any]]) -> Table:
    table = Table(*_COLUMNS.values())
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
