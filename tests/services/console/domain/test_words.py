"""Numbers as people read them: short, with units, never wrong by rounding up to another size's limit."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.console.domain import words


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (words.whole(12345), "12,345"),
        (words.whole(None), words.NOTHING),
        (words.short(9_999), "9,999"),
        (words.short(12_345), "12.3k"),
        (words.short(345_678), "346k"),
        (words.short(4_560_000), "4.6M"),
        (words.short(2 * 10**12), "2.0T"),
        (words.seconds(0.1234), "123 ms"),
        (words.seconds(1.5), "1.50 s"),
        (words.seconds(None), words.NOTHING),
        (words.rate(4.25), "4.2"),
        (words.rate(1234.5), "1,234"),
        (words.percent(0.256), "26 %"),
        (words.duration(59), "59 s"),
        (words.duration(7_500), "2 h 5 min"),
        (words.duration(86_400), "1 d"),
        (words.duration(-3), "0 s"),
        (words.money(0, "EUR"), "0.00 EUR"),
        (words.money(12_345_678, "EUR"), "0.0123 EUR"),
        (words.money(1_234_560_000_000, "CHF"), "1,234.56 CHF"),
        (words.moment(1_790_000_000), "14:13:20 UTC"),
        (words.date(1_790_000_000), "2026-09-21 14:13 UTC"),
        (words.date(0), words.NOTHING),
    ],
)
def test_a_number_is_said(said: str, expected: str) -> None:
    assert said == expected


@given(st.integers(0, 10**15))
def test_a_short_count_stays_short(value: int) -> None:
    assert len(words.short(value)) <= 7
