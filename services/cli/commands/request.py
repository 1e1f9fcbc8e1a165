"""`comptoir request`: the life of one request in counts, from what every part noted of it."""

import json
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Annotated, Any

import typer
from rich import box
from rich.console import Console
from rich.table import Table

from deploy.local.stack.errors import StackError
from deploy.local.stack.options import DEFAULT_DATA_DIR
from services.cli.adapters.store import Store
from services.cli.reports.asking import AsJson, ClickHouse, DataDir, store_of
from services.cli.reports.request_questions import ADMISSIONS, EDGE_REQUESTS, GENERATIONS, KEEPS
from services.cli.reports.timeline import Noted, Step, parse_id, steps_of


def request(
    request_id: Annotated[
        str, typer.Argument(metavar="ID", help="As x-request-id has it, or the id of an answer.")
    ],
    data_dir: DataDir = DEFAULT_DATA_DIR,
    clickhouse: ClickHouse = "",
    as_json: AsJson = False,
) -> None:
    """The life of one request in counts: received, held, admitted, queued, first token, last, why it ended.

    Times are those of each part's own clock. There is no text of it anywhere.

    Examples:
      comptoir request 0193f1a2c3d4e5f60718293a4b5c6d7e

      comptoir request chatcmpl-0193f1a2c3d4e5f60718293a4b5c6d7e --json

    """
    identity = parse_id(request_id)
    store = store_of(data_dir, clickhouse)
    asked = {"high": identity.high, "low": identity.low}
    noted = Noted(*(store.rows(question, asked) for question in (ADMISSIONS, GENERATIONS, EDGE_REQUESTS)))
    if noted.is_empty:
        raise StackError(_why_unknown(store))
    steps = steps_of(noted)
    if as_json:
        Console().out(_as_json(identity.hex, noted, steps), highlight=False)
        return
    console = Console(markup=False, emoji=False)
    console.print(_table(steps))
    if noted.is_open:
        console.out(
            f"No replica has said how it ended: it runs, or its end is on its way.{_lag(store)}",
            highlight=False,
        )


def _why_unknown(store: Store) -> str:
    keeps = next(iter(store.rows(KEEPS, {})), {"days": 0, "regions": ""})
    return (
        f"The store has nothing of this request. It keeps {keeps['days']} days, of"
        f" {keeps['regions'] or 'no region'} so far: an older one is gone, a newer one is on its way, and one"
        f" of another region is in that region's store (--clickhouse URL).{_lag(store)}"
    )


def _lag(store: Store) -> str:
    lag = store.lag()
    return "" if lag is None else f" It has what the log had at {lag['stored_until']:%H:%M:%S} UTC."


def _table(steps: Sequence[Step]) -> Table:
    begin = steps[0].at
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1), collapse_padding=True, pad_edge=False, show_edge=False)
    table.add_column("after s", justify="right", no_wrap=True)
    table.add_column("who", no_wrap=True)
    table.add_column(f"what, from {begin:%Y-%m-%d %H:%M:%S.%f} UTC on", overflow="fold")
    for step in steps:
        table.add_row(f"{(step.at - begin).total_seconds():.3f}", step.who, step.what)
    return table


def _as_json(request_id: str, noted: Noted, steps: Sequence[Step]) -> str:
    content = {
        "request": request_id,
        "steps": [{"at": step.at, "who": step.who, "what": step.what} for step in steps],
        "admissions": _rows(noted.admissions),
        "generations": _rows(noted.generations),
        "edge_requests": _rows(noted.edge_requests),
    }
    return json.dumps(
        content, default=lambda value: value.isoformat() if isinstance(value, date) else str(value)
    )


def _rows(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Names as the event tables have them."""
    own = {
        "why": "reason",
        "ended": "outcome",
        "decided": "decision",
        "route": "endpoint",
        "class": "priority",
    }
    return [{own.get(name, name): value for name, value in row.items()} for row in rows]
