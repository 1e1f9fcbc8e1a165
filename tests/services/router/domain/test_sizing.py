"""Requests are refused early only when no token of an answer can fit; what is too large is cut."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.kernel.errors import ComptoirError, Numbers, Reason
from services.router.domain.sizing import size_of, size_of_inputs
from tests.fakes.router import TINY


@pytest.mark.parametrize(
    ("bound", "wanted", "expected"),
    [
        (100, 50, (100, 50)),
        (100, 0, (100, 512)),
        (100, 1024, (100, 512)),
        (100, 2**32 - 1, (100, 512)),
        (700, 512, (700, 512)),
        (5_000, 1, (1024, 1)),
        (1000 * 64, 0, (1024, 24)),
        (1023 * 64, 0, (1024, 1)),
    ],
)
def test_a_request_reserves_its_bounds_within_the_models_limits(
    bound: int, wanted: int, expected: tuple[int, int]
) -> None:
    size = size_of(TINY, bound, wanted)
    assert (size.input_tokens, size.output_tokens) == expected
    assert size.reserved_tokens == min(sum(expected), 1024)


@pytest.mark.parametrize("wanted", [0, 1, 1024, 1025])
def test_a_prompt_that_leaves_no_room_for_an_answer_is_too_long(wanted: int) -> None:
    with pytest.raises(ComptoirError) as refusal:
        size_of(TINY, 1023 * 64 + 1, wanted)
    assert refusal.value.reason is Reason.CONTEXT_TOO_LONG
    assert refusal.value.numbers == Numbers(limit=1024, requested=1024)


def test_each_further_choice_reserves_an_output_of_its_own() -> None:
    assert size_of(TINY, 100, 50, 3).reserved_tokens == 100 + 3 * 50
    assert size_of(TINY, 1000, 500, 2).reserved_tokens == 1024 + 500


@given(st.integers(1, 16_777_216), st.integers(0, 2**32 - 1))
def test_tickets_never_permit_more_than_the_model(bound: int, wanted: int) -> None:
    try:
        size = size_of(TINY, bound, wanted)
    except ComptoirError as refusal:
        assert refusal.reason is Reason.CONTEXT_TOO_LONG  # noqa: PT017 - one outcome of two
        return
    assert 1 <= size.input_tokens <= min(bound, TINY.context_tokens)
    assert 1 <= size.output_tokens <= TINY.max_output_tokens


@pytest.mark.parametrize(
    ("bound", "inputs", "reserved"), [(9, 1, 9), (1024, 1, 1024), (5_000, 1, 1024), (3_000, 2, 2048)]
)
def test_inputs_reserve_their_bounds_up_to_a_context_each_and_no_output(
    bound: int, inputs: int, reserved: int
) -> None:
    size = size_of_inputs(TINY, bound, inputs)
    assert (size.input_tokens, size.output_tokens, size.reserved_tokens) == (reserved, 0, reserved)


def test_inputs_of_which_one_cannot_fit_whichever_it_is_are_too_long() -> None:
    assert size_of_inputs(TINY, 2 * 1024 * 64, 2).reserved_tokens == 2048
    with pytest.raises(ComptoirError) as refusal:
        size_of_inputs(TINY, 2 * 1024 * 64 + 1, 2)
    assert refusal.value.reason is Reason.CONTEXT_TOO_LONG
    assert refusal.value.numbers == Numbers(limit=1024, requested=1025)
