"""Asks the store for a report, names its tenants, and prints it as it was asked for."""

import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.console import Console

from deploy.local.stack.errors import StackError
from deploy.local.stack.paths import DataPaths
from deploy.local.stack.state import missing_state, read_state
from services.cli.adapters.store import Store
from services.cli.reports.naming import name_tenants, names_by_pseudonym, secret_files, tenants_of
from services.cli.reports.questions import Measure, Report
from services.cli.reports.shown import as_csv, as_json, table_of
from services.cli.reports.span import Span, parse_span

By = Annotated[str, typer.Option(metavar="NAMES", help="How to group, with commas between.")]
Since = Annotated[str, typer.Option(metavar="TIME", help="30m, 24h, 7d, or a moment in UTC.")]
Until = Annotated[str, typer.Option(metavar="TIME", help="As --since; now unless given.")]
DataDir = Annotated[Path, typer.Option(help="The data folder of a local stack.")]
ClickHouse = Annotated[str, typer.Option(metavar="URL", help="Another store than the local stack's.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object, with every number.")]
AsCsv = Annotated[bool, typer.Option("--csv", help="Print CSV, with every number.")]
SecretFiles = Annotated[
    list[str] | None,
    typer.Option(
        "--pseudonyms",
        metavar="EPOCH=FILE",
        help="A secret of pseudonyms, to name tenants; repeat for more. The local stack's is known.",
    ),
]

# The pipeline measures every few seconds, so a store that keeps up seems to be behind by that.
_BEHIND_SECONDS: Final = 15


@dataclass(frozen=True, slots=True)
class Form:
    """How an answer is to be shown."""

    as_json: bool
    as_csv: bool

    def __post_init__(self) -> None:
        """StackError where both forms are asked for."""
        if self.as_json and self.as_csv:
            raise StackError("--json and --csv are two forms of one answer: ask for one of them.")


@dataclass(frozen=True, slots=True)
class Answer:
    """What the store said of a report."""

    report: Report
    by: tuple[str, ...]
    span: Span
    rows: list[dict[str, Any]]
    store: Store

    def name_tenants(self, data_dir: Path, admin: str, pseudonyms: list[str] | None) -> None:
        """Adds names of tenants where the answer has tenants, and the caller what names them."""
        if "tenant" not in self.by:
            return
        files = secret_files(pseudonyms or [], DataPaths(data_dir.resolve()))
        known = tenants_of(data_dir, admin) if files and self.rows else {}
        name_tenants(self.rows, names_by_pseudonym(known, files))

    def show(self, form: Form, measures: tuple[Measure, ...], empty: str) -> None:
        """Prints the answer, and a line more where the store is behind."""
        lag = self.store.lag()
        if form.as_json:
            sys.stdout.write(as_json(self.report.name, self.span, self.by, self.rows, lag) + "\n")
            return
        if form.as_csv:
            sys.stdout.write(as_csv(self.by, measures, self.rows))
            return
        console = Console(markup=False, emoji=False)
        if self.rows:
            console.print(table_of(self.by, measures, self.rows, console.width))
        else:
            console.out(f"{empty} {self.span.shown}; look further back with --since 7d.", highlight=False)
        if lag is not None and lag["behind_seconds"] > _BEHIND_SECONDS:
            console.out(how_late(lag), highlight=False)


def answer_to(
    report: Report, by: tuple[str, ...], since: str, until: str, *, data_dir: Path, clickhouse: str
) -> Answer:
    """Returns the answer of the store; StackError where it cannot be asked."""
    span = report.covered(parse_span(since, until, datetime.now(UTC)))
    store = store_of(data_dir, clickhouse)
    return Answer(report, by, span, store.rows(*report.question(by, span)), store)


def store_of(data_dir: Path, clickhouse: str) -> Store:
    """Returns the store at a URL, or the local stack's; StackError where there is none."""
    if clickhouse:
        return Store(clickhouse)
    paths = DataPaths(data_dir.resolve())
    state = read_state(paths)
    if state is None:
        raise missing_state(paths.root)
    return Store(str(state["clickhouse_url"]))


def how_late(lag: dict[str, Any]) -> str:
    """Returns one line for a store that is behind, and what it waits for."""
    behind = f"Rows up to {lag['stored_until']:%H:%M:%S} UTC; {lag['behind_seconds']} s behind"
    return f"{behind}, paused for {lag['paused_for']}." if lag["paused_for"] else f"{behind}."


def is_late(lag: dict[str, Any] | None) -> bool:
    """Tells whether the store is further behind than by its own measuring."""
    return lag is not None and lag["behind_seconds"] > _BEHIND_SECONDS
