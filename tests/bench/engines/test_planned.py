"""The plan for this machine: read off its bandwidth, and more streams share the weights."""

import pytest

from services.cli.planning.asked import Asked
from tests.bench.engines.bandwidth import read_bytes_per_second
from tests.bench.engines.planned import planned_for


def test_twice_the_bandwidth_is_twice_the_tokens() -> None:
    slow, fast = (planned_for(Asked(context=62, concurrency=8), speed) for speed in (1e9, 2e9))
    assert fast.tokens_per_second == pytest.approx(2 * slow.tokens_per_second)
    more = planned_for(Asked(context=62, concurrency=64), 1e9)
    assert slow.tokens_per_second < more.tokens_per_second < 8 * slow.tokens_per_second


def test_memory_is_read_at_some_pace() -> None:
    assert 1e8 < read_bytes_per_second(1) < 1e13
