"""A table fits its terminal and cuts no number, whatever names there are."""

from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from services.cli.reports.cost_questions import COST, TENANTS
from services.cli.reports.questions import ERRORS, HEADROOM, KV, LATENCY, USAGE, Report
from services.cli.reports.shown import as_csv, table_of

WIDTH = 80


def printed(report: Report, name: str, number: int | None) -> list[str]:
    row: dict[str, Any] = {f"group_{group}": name for group in report.usual}
    row |= {measure.name: number for measure in report.measures}
    out = StringIO()
    table = table_of(report.usual, report.measures, [row], WIDTH)
    Console(file=out, width=WIDTH).print(table)
    return out.getvalue().splitlines()


@pytest.mark.parametrize("report", [LATENCY, USAGE, ERRORS, HEADROOM, KV, COST, TENANTS])
@pytest.mark.parametrize("name", ["m", "tiny-embed-eu", "mistral-small-3.2-24b-instruct"])
@pytest.mark.parametrize("number", [None, 7, 999])
def test_every_title_and_every_number_is_there(report: Report, name: str, number: int | None) -> None:
    lines = printed(report, name, number)
    rule = next(at for at, line in enumerate(lines) if line.startswith("─"))
    shown = [measure for measure in report.measures if measure.is_shown]
    assert max(map(len, lines)) <= WIDTH
    titles = " ".join(lines[:rule]).split()
    assert sorted(titles) == sorted(
        " ".join(
            (*(group.replace("_", " ") for group in report.usual), *(one.title for one in shown))
        ).split()
    )
    cells = lines[rule + 1].replace(" %", "%").replace(" GiB", "GiB").split()
    # A folded name has one place in each of its lines.
    assert len(cells) == len(report.usual) + len(shown)
    assert "…" not in "".join(lines)


@pytest.mark.parametrize("zone", [None, UTC, timezone(timedelta(hours=2))])
def test_a_time_in_a_file_says_that_it_is_of_utc(zone: tzinfo | None) -> None:
    hour = 12 if zone is not None and zone is not UTC else 10
    rows = [{"group_hour": datetime(2026, 11, 27, hour, tzinfo=zone), "group_day": date(2026, 11, 27)}]
    assert as_csv(["hour", "day"], [], rows) == "hour,day\n2026-11-27T10:00:00Z,2026-11-27\n"
