import re
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.edge.domain.openai.rate_limits import duration_text, quota_headers
from services.kernel.quota import QuotaState

# Go's durations, which clients of OpenAI parse.
DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+(?:\.\d{1,3})?)s)?(?:(\d+)ms)?")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, b"0ms"),
        (0.02, b"20ms"),
        (0.9991, b"1s"),
        (1, b"1s"),
        (8.64, b"8.64s"),
        (59.9, b"59.9s"),
        (59.9999, b"1m0s"),
        (61.5, b"1m1.5s"),
        (360, b"6m0s"),
        (3600.001, b"1h0m0.001s"),
    ],
)
def test_durations_are_written_as_openai_writes_them(seconds: float, text: bytes) -> None:
    assert duration_text(seconds) == text


@given(st.integers(0, 2**32 - 1))
def test_any_duration_reads_back_to_the_millisecond(milliseconds: int) -> None:
    read = DURATION.fullmatch(duration_text(milliseconds / 1000).decode())
    assert read is not None
    hours, minutes, seconds, rest = (Decimal(part or 0) for part in read.groups())
    assert ((hours * 60 + minutes) * 60 + seconds) * 1000 + rest == milliseconds
    assert max(minutes, seconds) < 60
    assert rest < 1000


def test_a_limit_that_is_not_set_has_no_headers() -> None:
    assert quota_headers(QuotaState()) == []
    names = [name for name, _ in quota_headers(QuotaState(limit_tokens=5))]
    assert names == [
        b"x-ratelimit-limit-tokens",
        b"x-ratelimit-remaining-tokens",
        b"x-ratelimit-reset-tokens",
    ]
