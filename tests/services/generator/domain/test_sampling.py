import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.generator.domain.sampling import Room, check_size, output_tokens_for
from services.kernel.errors import ComptoirError, Numbers, Reason

TOKENS = st.integers(1, 5000)
ROOMS = st.builds(Room, TOKENS, TOKENS, TOKENS)


@given(asked=st.integers(0, 2**32 - 1), input_tokens=TOKENS, room=ROOMS)
def test_what_is_asked_for_is_cut_to_what_fits_as_long_as_one_token_does(
    asked: int, input_tokens: int, room: Room
) -> None:
    if input_tokens >= room.context_tokens or input_tokens > room.permitted_input_tokens:
        with pytest.raises(ComptoirError) as error:
            output_tokens_for(asked, input_tokens, room)
        is_context = input_tokens >= room.context_tokens
        expected = Reason.CONTEXT_TOO_LONG if is_context else Reason.TICKET_LIMIT_EXCEEDED
        limit = room.context_tokens if is_context else room.permitted_input_tokens
        assert error.value.reason is expected
        assert error.value.numbers == Numbers(limit, input_tokens)
        return
    fitting = min(room.permitted_output_tokens, room.context_tokens - input_tokens)
    assert output_tokens_for(asked, input_tokens, room) == (min(asked, fitting) if asked else fitting)


def test_text_that_cannot_fit_is_refused_before_anybody_tokenizes_it() -> None:
    room = Room(100, 100, 10)
    check_size(640, 64, room)
    with pytest.raises(ComptoirError) as error:
        check_size(641, 64, room)
    assert error.value.reason is Reason.CONTEXT_TOO_LONG
    assert error.value.numbers == Numbers(limit=10, requested=11)
