"""How an answer is shown: a table of at most a terminal's width, one JSON object, or CSV."""

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any, Final

from rich import box
from rich.table import Table

from services.cli.reports.questions import Measure
from services.cli.reports.span import Span

_GIBIBYTE: Final = 2**30
_MISSING: Final = "–"  # noqa: RUF001 - as tables write it
# Of a pseudonym: enough to tell tenants apart.
_DIGITS: Final = 11
# Between two columns.
_GAP: Final = 2


# From here on the fourth decimal tells nobody anything.
_LARGE_MONEY: Final = 100


def _money(value: float) -> str:
    return f"{value:,.2f}" if abs(value) >= _LARGE_MONEY or not value else f"{value:,.4f}"


_FORMS: Final[Mapping[str, Callable[[Any], str]]] = {
    "count": lambda value: f"{value:,}",
    "whole": lambda value: f"{value:,.0f}",
    "number": lambda value: f"{value:,.1f}",
    "milliseconds": lambda value: f"{1000 * value:,.0f}",
    "share": lambda value: f"{100 * value:.0f} %",
    "bytes": lambda value: f"{value / _GIBIBYTE:,.1f} GiB",
    "money": _money,
    "text": str,
}


def table_of(
    by: Sequence[str], measures: Sequence[Measure], rows: Sequence[Mapping[str, Any]], width: int
) -> Table:
    """Returns a table of the groups and of the measures that are shown, at most `width` columns wide.

    A number is never cut: where there is no room, titles take several lines, and then names do.
    """
    shown = [measure for measure in measures if measure.is_shown]
    titles = [*(name.replace("_", " ") for name in by), *(measure.title for measure in shown)]
    lines = [
        [
            *(_group(name, row) for name in by),
            *(_cell(measure.form, row[measure.name]) for measure in shown),
        ]
        for row in rows
    ]
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1), collapse_padding=True, pad_edge=False, show_edge=False)
    for place, (title, fitting) in enumerate(
        zip(titles, _widths(titles, lines, len(by), width), strict=True)
    ):
        table.add_column(
            title, justify="left" if place < len(by) else "right", overflow="fold", width=fitting
        )
    for line in lines:
        table.add_row(*line)
    return table


def _widths(titles: Sequence[str], lines: Sequence[Sequence[str]], names: int, width: int) -> list[int]:
    """How wide each column is; the first `names` hold names, which may be folded, the others numbers."""
    cells = [max((len(line[place]) for line in lines), default=0) for place in range(len(titles))]
    words = [max(map(len, title.split())) for title in titles]
    found = [max(len(title), cell) for title, cell in zip(titles, cells, strict=True)]
    least = [
        word if place < names else max(word, cell)
        for place, (word, cell) in enumerate(zip(words, cells, strict=True))
    ]
    numbers, folded = range(names, len(titles)), range(names)
    for places in (numbers, folded):
        while sum(found) + _GAP * (len(found) - 1) > width:
            widest = max(places, key=lambda place: found[place] - least[place], default=0)
            if found[widest] <= least[widest]:
                break
            found[widest] -= 1
    return found


def as_json(
    report: str,
    span: Span,
    by: Sequence[str],
    rows: Sequence[Mapping[str, Any]],
    lag: Mapping[str, Any] | None,
) -> str:
    """Returns one JSON object with every measure."""
    content = {
        "report": report,
        "since": span.since.isoformat(),
        "until": span.until.isoformat(),
        "by": list(by),
        "rows": [_named(row) for row in rows],
        **({} if lag is None else {"lag": dict(lag)}),
    }
    return json.dumps(content, default=_plain)


def as_csv(by: Sequence[str], measures: Sequence[Measure], rows: Sequence[Mapping[str, Any]]) -> str:
    """Returns a line of names and a line for each group, with every measure."""
    text = io.StringIO()
    has_names = "tenant" in by
    names = [*by, *(["tenant_name"] if has_names else []), *(measure.name for measure in measures)]
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    for row in rows:
        named = _named(row)
        writer.writerow({name: _plain(named.get(name)) for name in names})
    return text.getvalue()


def _named(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name.removeprefix("group_"): value for name, value in row.items()}


def _plain(value: Any) -> Any:  # what a file can hold
    if isinstance(value, datetime):
        # A time without a zone is the store's, which is of UTC.
        known = value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
        return f"{known.replace(tzinfo=None).isoformat()}Z"
    return value.isoformat() if isinstance(value, date) else value


def _group(name: str, row: Mapping[str, Any]) -> str:
    value = row[f"group_{name}"]
    if name == "tenant":
        return row.get("group_tenant_name") or str(value)[:_DIGITS]
    if isinstance(value, datetime):
        return f"{value:%m-%d %H:%M}"
    return str(value)


def _cell(form: str, value: Any) -> str:  # whatever the column holds
    return _MISSING if value is None else _FORMS[form](value)
