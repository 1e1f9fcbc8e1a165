"""report cost: what is not in a sum is said below it."""

from typing import Any

import pytest

from deploy.local.stack.paths import DataPaths
from services.cli.adapters.store import Store
from services.cli.reports.cost_questions import COST
from tests.services.cli.running import Terminal

NUMBERS: dict[str, Any] = {measure.name: 0 for measure in COST.measures}
ROW = {
    **NUMBERS,
    "group_model": "tiny-eu",
    "currency": "EUR",
    "currencies": 1,
    "cost": 1.8,
    "idle_cost": 1.8,
    "replica_seconds": 3_600.0,
    "gpu_seconds": 3_600.0,
}


def said_of(terminal: Terminal, paths: DataPaths, monkeypatch: pytest.MonkeyPatch, **numbers: float) -> str:
    monkeypatch.setattr(Store, "rows", lambda *_: [{**ROW, **numbers}])
    monkeypatch.setattr(Store, "lag", lambda _store: None)
    said = terminal.comptoir("report", "cost", "--by", "model", "--data-dir", str(paths.root))
    assert said.status == 0, said.err
    return " ".join(said.out.split())


def test_idle_accelerators_without_a_price_are_not_passed_over(
    terminal: Terminal, paths: DataPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = said_of(terminal, paths, monkeypatch, unpriced_gpu_seconds=5_400.0)
    assert "1.5 accelerator hours and 0 requests have no cost" in said
    assert "declare usage.gpu_prices" in said


def test_requests_before_the_second_sample_are_told(
    terminal: Terminal, paths: DataPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = said_of(terminal, paths, monkeypatch, unpriced_requests=3)
    assert "0.0 accelerator hours and 3 requests have no cost" in said


def test_where_all_has_a_cost_nothing_is_said_of_none(
    terminal: Terminal, paths: DataPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "no cost" not in said_of(terminal, paths, monkeypatch)
