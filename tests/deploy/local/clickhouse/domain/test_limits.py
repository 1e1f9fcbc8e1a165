"""A reader of the local store gets no more than the settings say, and they no more than its parsers take."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from deploy.local.clickhouse.domain.limits import FrontLimits


@given(seconds=st.integers(1, 3600), mebibytes=st.integers(64, 4096))
def test_what_a_reader_may_ask_the_engine_for_ends_at_the_settings(seconds: int, mebibytes: int) -> None:
    limits = FrontLimits(max_execution_seconds=seconds, max_memory_bytes=mebibytes * 1024 * 1024)
    assert limits.most["max_execution_time"] == seconds
    assert limits.most["max_memory_usage"] == mebibytes * 1024 * 1024
    assert limits.most["max_result_bytes"] == limits.max_result_bytes


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("max_head_bytes", 64 * 1024 + 1),
        ("max_query_bytes", 16 * 1024 * 1024 + 1),
        ("max_concurrent_queries", 0),
    ],
)
def test_a_bound_that_the_front_could_not_keep_is_refused_by_its_name(name: str, value: int) -> None:
    with pytest.raises(ValidationError, match=name):
        FrontLimits(**{name: value})
