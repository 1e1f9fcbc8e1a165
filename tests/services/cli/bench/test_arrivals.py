"""When requests of an open load are due: at their rate, as evenly as asked, and the same for a seed."""

import random
import statistics
from itertools import islice, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.cli.bench.arrivals import ArrivalProcess, Arrivals, due_seconds

MANY = 20_000


def gaps(arrivals: Arrivals, count: int = MANY, seed: int = 7) -> list[float]:
    due = [0.0, *islice(due_seconds(arrivals, random.Random(seed)), count)]
    return [later - earlier for earlier, later in pairwise(due)]


@pytest.mark.parametrize(
    ("process", "burstiness", "deviation"),
    [
        (ArrivalProcess.CONSTANT, 1.0, 0.0),
        (ArrivalProcess.POISSON, 1.0, 1.0),
        (ArrivalProcess.GAMMA, 1.0, 1.0),
        (ArrivalProcess.GAMMA, 4.0, 0.5),
        (ArrivalProcess.GAMMA, 0.25, 2.0),
    ],
)
def test_gaps_have_the_rate_s_mean_and_the_shape_s_deviation(
    process: ArrivalProcess, burstiness: float, deviation: float
) -> None:
    found = gaps(Arrivals(5.0, process, burstiness))
    assert statistics.fmean(found) == pytest.approx(0.2, rel=0.06)
    assert statistics.pstdev(found) == pytest.approx(0.2 * deviation, rel=0.06, abs=1e-9)


@given(st.floats(0.01, 1e4), st.sampled_from(ArrivalProcess), st.floats(0.05, 50), st.integers())
def test_due_moments_never_go_back_and_are_the_same_for_a_seed(
    rate: float, process: ArrivalProcess, burstiness: float, seed: int
) -> None:
    arrivals = Arrivals(rate, process, burstiness)
    found = gaps(arrivals, 50, seed)
    assert all(gap >= 0 for gap in found)
    assert found == gaps(arrivals, 50, seed)
