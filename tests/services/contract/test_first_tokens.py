"""A time to a first token is counted in the bucket whose bounds it lies between."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.contract.first_tokens import BOUNDS_SECONDS, BUCKETS, bucket_of


def test_buckets_are_a_fifth_wide_from_a_millisecond_to_a_quarter_of_an_hour() -> None:
    assert (len(BOUNDS_SECONDS), BOUNDS_SECONDS[0]) == (BUCKETS, 0.001)
    assert 800 < BOUNDS_SECONDS[-1] < 1000
    for shorter, longer in itertools.pairwise(BOUNDS_SECONDS):
        assert longer / shorter == pytest.approx(2**0.25)


@given(st.floats(-1, 10_000))
def test_a_time_lies_between_the_bounds_of_its_bucket(seconds: float) -> None:
    bucket = bucket_of(seconds)
    assert seconds <= BOUNDS_SECONDS[bucket] or bucket == BUCKETS - 1
    assert bucket == 0 or seconds > BOUNDS_SECONDS[bucket - 1]
