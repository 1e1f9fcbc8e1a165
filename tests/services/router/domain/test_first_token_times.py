"""Counts of several replicas add up to those of all, and quantiles of them are off by a bucket at most."""

import math

from hypothesis import given
from hypothesis import strategies as st

from services.contract.first_tokens import BOUNDS_SECONDS, BUCKETS, bucket_of
from services.router.domain.first_token_times import P95, merged, quantile_seconds

TIMES = st.lists(st.floats(0, 740), max_size=100)
SHARES = st.sampled_from([0.5, P95, 0.99, 1.0])


def counted(times: list[float]) -> tuple[int, ...]:
    """Counts as a replica does."""
    buckets = [bucket_of(seconds) for seconds in times]
    return tuple(buckets.count(bucket) for bucket in range(max(buckets, default=-1) + 1))


def test_nobody_asked_so_there_is_no_quantile() -> None:
    assert quantile_seconds((), P95) is None
    assert quantile_seconds((0, 0), P95) is None
    assert merged([]) == ()


@given(st.lists(TIMES, max_size=5))
def test_counts_that_are_merged_are_those_of_the_union(replicas: list[list[float]]) -> None:
    together = [seconds for times in replicas for seconds in times]
    assert merged(counted(times) for times in replicas) == counted(together)


@given(TIMES.filter(bool), SHARES)
def test_a_quantile_is_never_below_the_exact_one_and_a_bucket_above_it_at_most(
    times: list[float], share: float
) -> None:
    exact = sorted(times)[math.ceil(share * len(times)) - 1]
    found = quantile_seconds(counted(times), share)
    assert found is not None
    assert exact <= found <= max(BOUNDS_SECONDS[0], exact * 2**0.25 * (1 + 1e-9))


def test_what_is_longer_than_every_bucket_is_told_as_where_the_last_begins() -> None:
    assert quantile_seconds(counted([5_000.0]), P95) == BOUNDS_SECONDS[BUCKETS - 2]
