import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.generator.domain.sampling import (
    Sampling,
    TokenLimits,
    check_choices,
    check_ending,
    check_min_tokens,
    check_size,
    output_tokens_for,
)
from services.kernel.errors import ComptoirError, Numbers, Reason

TOKENS = st.integers(1, 5000)
LIMITS = st.builds(TokenLimits, TOKENS, TOKENS, st.integers(1, 16), TOKENS)


@given(asked=st.integers(0, 2**32 - 1), input_tokens=TOKENS, limits=LIMITS)
def test_what_is_asked_for_is_cut_to_what_fits_as_long_as_one_token_does(
    asked: int, input_tokens: int, limits: TokenLimits
) -> None:
    if input_tokens >= limits.context_tokens or input_tokens > limits.permitted_input_tokens:
        with pytest.raises(ComptoirError) as error:
            output_tokens_for(asked, input_tokens, limits)
        is_context = input_tokens >= limits.context_tokens
        expected = Reason.CONTEXT_TOO_LONG if is_context else Reason.TICKET_LIMIT_EXCEEDED
        limit = limits.context_tokens if is_context else limits.permitted_input_tokens
        assert error.value.reason is expected
        assert error.value.numbers == Numbers(limit, input_tokens)
        return
    fitting = min(limits.permitted_output_tokens, limits.context_tokens - input_tokens)
    assert output_tokens_for(asked, input_tokens, limits) == (min(asked, fitting) if asked else fitting)


def test_text_that_cannot_fit_is_refused_before_anybody_tokenizes_it() -> None:
    limits = TokenLimits(100, 100, 1, 10)
    check_size(640, 64, limits)
    with pytest.raises(ComptoirError) as error:
        check_size(641, 64, limits)
    assert error.value.reason is Reason.CONTEXT_TOO_LONG
    assert error.value.numbers == Numbers(limit=10, requested=11)


def test_more_choices_than_the_ticket_permits_are_refused() -> None:
    limits = TokenLimits(100, 100, 2, 1000)
    check_choices(Sampling(n=2), limits)
    with pytest.raises(ComptoirError) as error:
        check_choices(Sampling(n=3), limits)
    assert (error.value.reason, error.value.field) == (Reason.TICKET_LIMIT_EXCEEDED, "sampling.n")
    assert error.value.numbers == Numbers(limit=2, requested=3)


def test_an_answer_that_must_be_longer_than_it_can_be_is_refused() -> None:
    check_min_tokens(Sampling(min_tokens=5), 5)
    with pytest.raises(ComptoirError) as error:
        check_min_tokens(Sampling(min_tokens=6), 5)
    assert (error.value.reason, error.value.field) == (Reason.REQUEST_INVALID, "sampling.min_tokens")


def test_an_answer_that_must_be_something_ends_with_it() -> None:
    check_ending(Sampling(ignore_eos=True), is_structured=False)
    check_ending(Sampling(), is_structured=True)
    with pytest.raises(ComptoirError) as error:
        check_ending(Sampling(ignore_eos=True), is_structured=True)
    assert (error.value.reason, error.value.field) == (Reason.REQUEST_INVALID, "sampling.ignore_eos")
