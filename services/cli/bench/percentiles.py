"""The arithmetic of distributions: linear interpolation between closest ranks, which is NumPy's default.

Method 7 of Hyndman and Fan, "Sample Quantiles in Statistical Packages", The American Statistician 50 (1996):
the q-th percentile of n sorted values stands at rank (n - 1) q / 100, counted from 0, and between two values
where that is between two ranks.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

_HUNDRED: Final = 100.0


@dataclass(frozen=True, slots=True)
class Shape:
    """Count, mean, standard deviation (of all values, not of a sample), ends, and every whole percentile."""

    count: int
    mean: float
    standard_deviation: float
    percentiles: tuple[float, ...]


def percentile(ordered: Sequence[float], at: float) -> float:
    """Returns the percentile `at`, 0 to 100, of values in ascending order; there must be one."""
    rank = (len(ordered) - 1) * at / _HUNDRED
    below = math.floor(rank)
    above = min(below + 1, len(ordered) - 1)
    low, high = ordered[below], ordered[above]
    # Weighted, not `low + share * (high - low)`: the result never leaves the two values.
    share = rank - below
    return min(max(low * (1 - share) + high * share, low), high)


def shape_of(values: Sequence[float]) -> Shape | None:
    """Returns the shape of the values, in any order; None where there are none."""
    if not values:
        return None
    ordered = sorted(values)
    mean = math.fsum(ordered) / len(ordered)
    variance = math.fsum((value - mean) ** 2 for value in ordered) / len(ordered)
    whole = tuple(percentile(ordered, at) for at in range(101))
    return Shape(len(ordered), mean, math.sqrt(variance), whole)
