"""Costs are those on the page that they name."""

import re
from pathlib import Path

import pytest

from services.cli.capacity.costs import COSTS, EDGE_MESSAGE, EDGE_REQUEST, EDGE_TOKEN, Cost

DOCS = Path(__file__).parents[4] / "docs"
_TOKENS_OF_AN_ANSWER = 128


def edge_row() -> list[float]:
    later = (DOCS / "benchmarks.md").read_text(encoding="utf-8").partition("#### tiny-eu, later")[2]
    row = next(line for line in later.splitlines() if line.startswith("| Comptoir | edge |"))
    return [float(cell) for cell in re.findall(r"\| ([\d.]+) \(", row)]


def said(streams: int) -> float:
    own = EDGE_REQUEST.value / _TOKENS_OF_AN_ANSWER
    return 1e6 * (own + EDGE_TOKEN.value + EDGE_MESSAGE.value / streams)


def test_the_fit_of_the_edge_says_what_the_published_run_measured() -> None:
    one, eight, many = edge_row()
    assert said(1) == pytest.approx(one, rel=0.02)
    assert said(64) == pytest.approx(many, rel=0.02)
    # Not fitted to it: what the page says of how good the fit is.
    assert said(8) == pytest.approx(eight, rel=0.12)


@pytest.mark.parametrize("cost", COSTS, ids=lambda cost: cost.meaning)
def test_every_cost_says_where_it_was_measured_and_at_what(cost: Cost) -> None:
    assert cost.value > 0
    assert cost.measured_at
    if "](#" not in cost.source and "](" in cost.source:
        page = re.findall(r"\]\(([^)#]+)", cost.source)[0]
        assert (DOCS / page).is_file()
