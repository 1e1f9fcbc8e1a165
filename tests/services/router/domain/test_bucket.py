"""A bucket never holds more than a minute's worth, and fills evenly."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.router.domain.bucket import PARTS, Bucket

AMOUNTS = st.integers(min_value=0, max_value=10**9)


def test_a_fresh_bucket_is_full() -> None:
    bucket = Bucket.full(60, 0)
    assert (bucket.is_full, bucket.remaining, bucket.seconds_until_full()) == (True, 60, 0)


@given(st.integers(min_value=1, max_value=10**9), AMOUNTS, st.integers(min_value=0, max_value=120_000))
def test_what_was_taken_is_back_when_it_said(per_minute: int, amount: int, milliseconds: int) -> None:
    bucket = Bucket.full(per_minute, 0)
    bucket.take(min(amount, per_minute))
    wait_seconds = bucket.seconds_until_full()
    assert 0 <= wait_seconds <= 60
    bucket.refill(per_minute, milliseconds)
    assert bucket.level <= per_minute * PARTS
    bucket.refill(per_minute, max(milliseconds, math.ceil(wait_seconds * 1000)))
    assert bucket.is_full


@given(AMOUNTS, AMOUNTS)
def test_no_limit_means_that_anything_may_be_taken(one: int, other: int) -> None:
    bucket = Bucket.full(0, 0)
    bucket.take(one)
    bucket.give(other)
    assert bucket.has(other)
    assert bucket.seconds_until(one) == 0


def test_a_debt_is_waited_for() -> None:
    bucket = Bucket.full(60, 0)
    bucket.take(90)
    assert (bucket.has(1), bucket.remaining) == (False, 0)
    assert bucket.seconds_until(1) == pytest.approx(31)


def test_more_than_the_limit_never_comes() -> None:
    assert Bucket.full(60, 0).seconds_until(61) == 60


def test_giving_never_overfills() -> None:
    bucket = Bucket.full(60, 0)
    bucket.give(10)
    assert bucket.remaining == 60


def test_a_clock_that_goes_back_gives_nothing() -> None:
    bucket = Bucket.full(60, 100)
    bucket.take(60)
    bucket.refill(60, 40)
    bucket.refill(60, 100)
    assert bucket.level == 0


def test_a_lower_limit_holds_at_once() -> None:
    bucket = Bucket.full(60, 0)
    bucket.refill(10, 0)
    assert bucket.remaining == 10


@given(st.integers(1, 2**32 - 1), st.lists(st.integers(0, 10_000), max_size=20))
def test_a_bucket_that_is_looked_at_often_fills_as_fast_as_one_that_is_not(
    per_minute: int, pauses_milliseconds: list[int]
) -> None:
    often, once, now_milliseconds = Bucket.full(per_minute, 0), Bucket.full(per_minute, 0), 0
    for bucket in (often, once):
        bucket.take(3 * per_minute)
    for pause_milliseconds in pauses_milliseconds:
        now_milliseconds += pause_milliseconds
        often.refill(per_minute, now_milliseconds)
    once.refill(per_minute, now_milliseconds)
    assert often.level == once.level
