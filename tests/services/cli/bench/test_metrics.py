"""The numbers of a run: what counts in them, what does not, and that they are NumPy's."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.cli.bench.exchange import INTERRUPTED, Exchange
from services.cli.bench.metrics import Judged, Observed, run_of
from services.cli.bench.objectives import Objective
from services.cli.bench.prices import Prices
from services.cli.bench.results import LoadLevel, Run
from services.cli.bench.sender import Sender, Senders
from tests.services.cli.bench.exchanges import exchange

LEVEL = LoadLevel(kind="closed", users=2)
GAPS = st.lists(st.floats(0.001, 2), min_size=1, max_size=20)


def measured(*exchanges: Exchange, judged: Judged | None = None) -> Run:
    return run_of(Observed(LEVEL, exchanges, 3, Senders((Sender(0.1, 10.0),))), judged or Judged())


def test_rates_are_of_requests_that_succeeded_in_the_time_of_all() -> None:
    run = measured(
        exchange(0.0, (1.0, 2.0), counts=(30, 10)),
        exchange(1.0, (), 10.0, failure="500"),
        exchange(0.5, (), 99.0, failure=INTERRUPTED),
    )
    assert run.seconds == 10.0
    assert (run.requests.sent, run.requests.succeeded, run.requests.failed) == (3, 1, 1)
    assert run.requests.interrupted == 1
    assert run.requests.errors == {"500": 1}
    assert run.rates.requests_per_second == pytest.approx(0.1)
    assert run.rates.output_tokens_per_second == pytest.approx(1.0)
    assert run.rates.tokens_per_second == pytest.approx(4.0)
    assert run.tokens.counted_by == {"usage": 1}
    assert run.warm_up_requests == 3


@given(st.lists(st.tuples(st.floats(0, 100), GAPS), min_size=1, max_size=20))
def test_latencies_are_those_that_numpy_finds(given_ones: list[tuple[float, list[float]]]) -> None:
    seen = [
        exchange(start, list(start + np.cumsum(gaps)), start + sum(gaps) + 0.5) for start, gaps in given_ones
    ]
    run = measured(*seen)
    assert run.latencies.ttft_seconds is not None
    ttft = [gaps[0] for _, gaps in given_ones]
    assert run.latencies.ttft_seconds.mean == pytest.approx(np.mean(ttft))
    assert run.latencies.ttft_seconds.at(95) == pytest.approx(np.percentile(ttft, 95))
    itl = [gap for _, gaps in given_ones for gap in gaps[1:]]
    assert (run.latencies.itl_seconds is None) is (not itl)
    if run.latencies.itl_seconds is not None:
        assert run.latencies.itl_seconds.count == len(itl)
        assert run.latencies.itl_seconds.at(50) == pytest.approx(np.median(itl), abs=1e-9)
    tpot = [sum(gaps[1:]) / (len(gaps) - 1) for _, gaps in given_ones if len(gaps) > 1]
    if run.latencies.tpot_seconds is not None:
        assert run.latencies.tpot_seconds.at(50) == pytest.approx(np.median(tpot), abs=1e-9)
    assert run.latencies.e2e_seconds is not None
    assert run.latencies.e2e_seconds.count == len(given_ones)


def test_goodput_counts_who_met_every_objective() -> None:
    judged = Judged((Objective("ttft", 1.0), Objective("e2e", 3.0)))
    run = measured(
        exchange(0.0, (0.5, 2.0), 2.0),
        exchange(0.0, (0.5, 4.0), 4.0),
        exchange(0.0, (1.5, 2.0), 2.0),
        exchange(0.0, (), 1.0, failure="500"),
        judged=judged,
    )
    assert run.goodput is not None
    assert (run.goodput.met, run.goodput.share) == (1, 0.25)
    assert run.goodput.requests_per_second == pytest.approx(0.25)


def test_cost_is_of_the_whole_time() -> None:
    run = measured(
        exchange(0.0, (1.0,), 3600.0, counts=(0, 1_000_000)), judged=Judged(prices=Prices(per_hour=2.0))
    )
    assert run.cost is not None
    assert run.cost.by_hour_per_million_output == pytest.approx(2.0)


def test_without_objectives_and_prices_there_is_neither() -> None:
    run = measured(exchange(0.0, (1.0,)))
    assert (run.goodput, run.cost) == (None, None)


def test_a_run_of_nothing_has_no_numbers() -> None:
    run = measured()
    assert (run.seconds, run.rates.requests_per_second, run.latencies.ttft_seconds) == (0.0, 0.0, None)
    assert run.timeline == ()
    failed = measured(exchange(0.0, (), 0.0, failure="not_connected"))
    assert failed.requests.errors == {"not_connected": 1}
