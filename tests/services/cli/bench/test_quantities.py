"""Durations and numbers of a command line: what they mean, and what is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.cli.bench.errors import BenchError
from services.cli.bench.quantities import duration_seconds, named_value, number


@pytest.mark.parametrize(
    ("text", "seconds"), [("500ms", 0.5), ("30s", 30), ("1.5m", 90), ("2h", 7200), ("250us", 0.00025)]
)
def test_a_duration_has_a_unit(text: str, seconds: float) -> None:
    assert duration_seconds(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "500", "ms", "-1s", "1 s", "1e3s", "nan s", "1d"])
def test_what_is_no_duration_is_refused_with_examples(text: str) -> None:
    with pytest.raises(BenchError, match="500ms"):
        duration_seconds(text)


@given(st.text().filter(lambda text: not text.strip()[-1:].isalpha()))
def test_a_text_without_a_unit_is_no_duration(text: str) -> None:
    with pytest.raises(BenchError):
        duration_seconds(text)


@pytest.mark.parametrize("text", ["0", "-1", "nan", "inf", "", "x"])
def test_a_number_is_finite_and_above_its_least(text: str) -> None:
    with pytest.raises(BenchError, match="--price must be a number above 0"):
        number(text, "--price")


def test_a_named_value_has_a_known_name() -> None:
    assert named_value("ttft:500ms", "--slo", ("ttft",)) == ("ttft", "500ms")
    for text in ("ttft", "other:1s", ":1s"):
        with pytest.raises(BenchError, match="a name of ttft"):
            named_value(text, "--slo", ("ttft",))
