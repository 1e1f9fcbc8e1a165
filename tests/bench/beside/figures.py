"""The arithmetic of results: quantiles, medians with their spread, and ratios of the same round."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Spread:
    """The median of some rounds, and the least and the most."""

    median: float
    low: float
    high: float

    def shown(self, digits: int) -> str:
        """Returns it as a cell of a table; a single round has no spread."""
        median, low, high = (f"{value:.{digits}f}" for value in (self.median, self.low, self.high))
        return median if low == high else f"{median} ({low} to {high})"


def spread(values: Sequence[float]) -> Spread | None:
    """Returns the spread, or None where nothing was measured."""
    if not values:
        return None
    return Spread(statistics.median(values), min(values), max(values))


def quantile(values: Sequence[float], share: float) -> float | None:
    """Returns the value, one of those measured, that `share` of all do not exceed; None where none is."""
    if not values:
        return None
    ordered = sorted(values)
    return ordered[round(share * (len(ordered) - 1))]


def ratios(ours: Mapping[int, float | None], others: Mapping[int, float | None]) -> list[float]:
    """Returns ours ÷ the other's for each round in which both were measured.

    A shared machine drifts between rounds by more than targets differ, so only the same round compares.
    """
    found = []
    for number, own in ours.items():
        other = others.get(number)
        if own is not None and other:
            found.append(own / other)
    return found
