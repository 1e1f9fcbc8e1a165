import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.edge.domain.openai.rate_limits import duration_text, quota_headers
from services.kernel.quota import QuotaState


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, b"0ms"), (0.02, b"20ms"), (1, b"1s"), (59.9, b"1m0s"), (360, b"6m0s"), (61, b"1m1s")],
)
def test_durations_are_written_as_openai_writes_them(seconds: float, text: bytes) -> None:
    assert duration_text(seconds) == text


@given(st.floats(0, 1e6))
def test_any_duration_has_minutes_and_seconds_below_sixty(seconds: float) -> None:
    text = duration_text(seconds).decode()
    if not text.endswith("ms"):
        assert int(text.removesuffix("s").rpartition("m")[2]) < 60


def test_a_limit_that_is_not_set_has_no_headers() -> None:
    assert quota_headers(QuotaState()) == []
    names = [name for name, _ in quota_headers(QuotaState(limit_tokens=5))]
    assert names == [
        b"x-ratelimit-limit-tokens",
        b"x-ratelimit-remaining-tokens",
        b"x-ratelimit-reset-tokens",
    ]
