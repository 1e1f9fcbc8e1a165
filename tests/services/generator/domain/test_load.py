from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from services.generator.domain.load import (
    LoadReport,
    LoadTotals,
    free_blocks,
    is_big_change,
    is_whole,
    permille,
    since,
    waiting,
)

IDLE = LoadReport(0, 0, 0, 0, 0, 0.0, is_draining=False)


@given(st.floats(allow_nan=False))
def test_a_share_is_cut_to_thousandths_between_0_and_1000(share: float) -> None:
    if abs(share) < 1e12:
        assert permille(share) in range(1001)


def test_a_half_is_500() -> None:
    assert permille(0.5) == 500


def test_what_is_not_known_stays_unknown_and_is_not_stored() -> None:
    assert permille(None) is None
    assert free_blocks(100, None) is None
    assert free_blocks(0, 0.5) is None
    assert waiting(None, None, 3) is None
    assert waiting(1, 2, 5) == 3
    assert is_whole(IDLE)
    for name in ("running_requests", "waiting_requests", "kv_usage_permille"):
        assert not is_whole(replace(IDLE, **{name: None}))  # type: ignore[arg-type] # each may be None


@given(*[st.integers(0, 10**9)] * 4)
def test_what_was_done_between_two_moments_is_never_negative(a: int, b: int, c: int, d: int) -> None:
    done = since(LoadTotals(a, b), LoadTotals(c, d))
    assert done == LoadTotals(max(0, c - a), max(0, d - b))


def test_a_drain_is_always_news() -> None:
    assert is_big_change(IDLE, replace(IDLE, is_draining=True))


def test_a_few_requests_are_no_news_and_many_are() -> None:
    assert not is_big_change(IDLE, replace(IDLE, unfinished_requests=3))
    assert is_big_change(IDLE, replace(IDLE, unfinished_requests=4))
    busy = replace(IDLE, unfinished_requests=100)
    assert not is_big_change(busy, replace(IDLE, unfinished_requests=110))
    assert is_big_change(busy, replace(IDLE, unfinished_requests=70))


def test_free_blocks_are_what_is_not_in_use_and_unknown_where_the_cache_is() -> None:
    assert [free_blocks(64, usage) for usage in (0.0, 0.25, 1.0, 1.5)] == [64, 48, 0, 0]
    assert free_blocks(0, 0.0) is None
