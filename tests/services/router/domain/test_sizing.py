"""Requests are refused early only when they cannot fit whatever their prompt says."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.router.domain.sizing import size_of
from services.runtime.errors import ComptoirError, Reason
from tests.fakes.router import TINY


@pytest.mark.parametrize(
    ("bound", "wanted", "expected"),
    [
        (100, 50, (100, 50)),
        (100, 0, (100, 512)),
        (100, 1024, (100, 512)),
        (5_000, 1, (1024, 1)),
        (1023 * 64, 0, (1024, 512)),
    ],
)
def test_a_request_reserves_its_bounds_within_the_models_limits(
    bound: int, wanted: int, expected: tuple[int, int]
) -> None:
    size = size_of(TINY, bound, wanted)
    assert (size.input_tokens, size.output_tokens) == expected
    assert size.reserved_tokens == sum(expected)


@pytest.mark.parametrize(("bound", "wanted"), [(1023 * 64 + 1, 0), (1, 1025)])
def test_a_hopeless_request_is_too_long(bound: int, wanted: int) -> None:
    with pytest.raises(ComptoirError) as refusal:
        size_of(TINY, bound, wanted)
    assert refusal.value.reason is Reason.CONTEXT_TOO_LONG


@given(st.integers(1, 16_777_216), st.integers(0, 1_048_576))
def test_tickets_never_permit_more_than_the_model(bound: int, wanted: int) -> None:
    try:
        size = size_of(TINY, bound, wanted)
    except ComptoirError as refusal:
        assert refusal.reason is Reason.CONTEXT_TOO_LONG  # noqa: PT017 - one outcome of two
        return
    assert 1 <= size.input_tokens <= min(bound, TINY.context_tokens)
    assert 1 <= size.output_tokens <= TINY.max_output_tokens
