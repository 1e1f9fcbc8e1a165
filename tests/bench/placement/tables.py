"""The rows of the simulated policies, as docs/benchmarks.md shows them."""

from collections.abc import Sequence
from typing import Final

from tests.bench.placement.contest import NAMES, Figures

HEAD: Final = ("arrivals", "replicas", "", *(name.replace("_", " ") for name in NAMES))
_MILLISECONDS: Final = 1e3


def rows_of(figures: Sequence[Figures]) -> list[list[str]]:
    """Returns the rows below `HEAD`: one for the same arrivals under every policy."""
    cases: dict[tuple[str, int, str], dict[str, str]] = {}
    for one in figures:
        cases.setdefault((one.shape, one.replicas, one.condition), {})[one.policy] = _cell(one)
    return [
        [shape, str(replicas), condition, *(cells.get(name, "") for name in NAMES)]
        for (shape, replicas, condition), cells in cases.items()
    ]


def _cell(one: Figures) -> str:
    """Returns TTFT p50, p95 and p99 in milliseconds, and goodput."""
    times = (one.ttft_p50, one.ttft_p95, one.ttft_p99)
    return " / ".join(f"{seconds * _MILLISECONDS:,.0f}" for seconds in times) + f", {one.goodput:,.1f}"
