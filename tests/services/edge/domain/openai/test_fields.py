import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.edge.domain.openai.fields import flag, number, whole_number
from services.kernel.errors import ComptoirError


@given(st.integers(-20, 20))
def test_a_whole_number_is_read_within_its_range_only(value: int) -> None:
    if -5 <= value <= 5:
        assert whole_number({"a": value}, "a", -5, 5) == value
        assert number({"a": value}, "a", -5, 5) == value
    else:
        with pytest.raises(ComptoirError):
            whole_number({"a": value}, "a", -5, 5)
        with pytest.raises(ComptoirError):
            number({"a": value}, "a", -5, 5)


@given(st.integers(-(2**53), 2**53))
def test_a_whole_number_may_be_written_with_a_point(value: int) -> None:
    assert whole_number({"a": float(value)}, "a", -(2**53), 2**53) == value


@pytest.mark.parametrize("value", [True, False, "1", [], {}, float("nan"), float("inf")])
def test_what_is_not_a_number_is_refused(value: object) -> None:
    for read in (whole_number, number):
        with pytest.raises(ComptoirError):
            read({"a": value}, "a", 0, 1)


def test_null_reads_as_absent() -> None:
    assert whole_number({"a": None}, "a", 0, 1) is None
    assert number({}, "a", 0, 1) is None
    assert flag({"a": None}, "a") is False
