"""report latency: a table, an object for programs, and a clear word where there is no data."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from deploy.local.stack.paths import DataPaths
from services.cli.adapters.store import Store
from tests.services.cli.running import Terminal

ROW = {
    "region": "eu-fr",
    "model": "tiny-eu",
    "hour": datetime(2026, 11, 22, 7, tzinfo=UTC),
    "requests": 42,
    "ttft_p50_seconds": 0.0123,
    "ttft_p95_seconds": 0.0456,
    "ttft_p99_seconds": 0.0789,
    "tps_per_request_p50": 276.4,
    "tps_per_request_p95": 301.2,
}


@pytest.fixture
def rows(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []

    def latency_by_hour(_store: Store, columns: tuple[str, ...], hours: int) -> list[dict[str, Any]]:
        assert set(columns) == set(ROW)
        assert hours == 24
        return found

    monkeypatch.setattr(Store, "latency_by_hour", latency_by_hour)
    monkeypatch.setattr(Store, "lag", lambda _store: None)
    return found


def test_without_data_it_says_so(terminal: Terminal, paths: DataPaths, rows: list[dict[str, Any]]) -> None:
    said = terminal.comptoir("report", "latency", "--data-dir", str(paths.root))
    assert (said.status, said.out) == (
        0,
        "There is no finished request of the last 24 hours in the store yet.\n",
    )
    as_json = terminal.comptoir("report", "latency", "--json", "--data-dir", str(paths.root))
    assert json.loads(as_json.out) == {"latency_by_hour": []}


def test_a_table_has_milliseconds_and_tokens_per_second(
    terminal: Terminal, paths: DataPaths, rows: list[dict[str, Any]]
) -> None:
    rows.append(ROW)
    said = terminal.comptoir("report", "latency", "--data-dir", str(paths.root))
    cells = [cell.strip() for cell in said.out.splitlines()[3].strip("│").split("│")]
    assert cells == ["eu-fr", "tiny-eu", "11-22 07:00", "42", "12", "46", "79", "276", "301"]


def test_a_long_name_is_folded_and_not_cut(
    terminal: Terminal, paths: DataPaths, rows: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    rows.append({**ROW, "model": "mistral-small-3.2-24b-instruct"})
    said = terminal.comptoir("report", "latency", "--data-dir", str(paths.root))
    body = [line.strip("│").split("│") for line in said.out.splitlines() if line.startswith("│")]
    assert "".join(cells[1].strip() for cells in body) == "mistral-small-3.2-24b-instruct"


def test_what_has_no_first_token_has_no_time_to_it(
    terminal: Terminal, paths: DataPaths, rows: list[dict[str, Any]]
) -> None:
    rows.append({name: None if name.startswith(("ttft", "tps")) else value for name, value in ROW.items()})
    said = terminal.comptoir("report", "latency", "--data-dir", str(paths.root))
    cells = [cell.strip() for cell in said.out.splitlines()[3].strip("│").split("│")]
    assert cells == ["eu-fr", "tiny-eu", "11-22 07:00", "42", *["–"] * 5]  # noqa: RUF001 - a dash
    as_json = terminal.comptoir("report", "latency", "--json", "--data-dir", str(paths.root))
    assert json.loads(as_json.out)["latency_by_hour"][0]["ttft_p50_seconds"] is None


def test_programs_get_every_number(terminal: Terminal, paths: DataPaths, rows: list[dict[str, Any]]) -> None:
    rows.append(ROW)
    said = terminal.comptoir("report", "latency", "--json", "--data-dir", str(paths.root))
    (row,) = json.loads(said.out)["latency_by_hour"]
    assert row == {**ROW, "hour": "2026-11-22 07:00:00+00:00"}


def test_a_store_that_is_away_is_one_sentence(terminal: Terminal, paths: DataPaths) -> None:
    assert "did not answer" in terminal.refusal("report", "latency", "--data-dir", str(paths.root))


@pytest.mark.parametrize(
    ("lag", "lines"),
    [
        ({"behind_seconds": 7, "paused_for": ""}, []),
        ({"behind_seconds": 35, "paused_for": ""}, ["Rows up to 14:03:12 UTC; 35 s behind."]),
        (
            {"behind_seconds": 90_000, "paused_for": "clock_behind"},
            ["Rows up to 14:03:12 UTC; 90000 s behind, paused for clock_behind."],
        ),
    ],
)
@pytest.mark.usefixtures("rows")
def test_a_store_that_is_behind_says_until_when_its_rows_are_complete(
    terminal: Terminal,
    paths: DataPaths,
    monkeypatch: pytest.MonkeyPatch,
    lag: dict[str, Any],
    lines: list[str],
) -> None:
    until = datetime(2026, 11, 22, 14, 3, 12, 345_000, tzinfo=UTC)
    monkeypatch.setattr(Store, "lag", lambda _store: {"stored_until": until, **lag})
    said = terminal.comptoir("report", "latency", "--data-dir", str(paths.root))
    assert said.out.splitlines()[1:] == lines
    as_json = terminal.comptoir("report", "latency", "--json", "--data-dir", str(paths.root))
    assert json.loads(as_json.out)["lag"]["behind_seconds"] == lag["behind_seconds"]
