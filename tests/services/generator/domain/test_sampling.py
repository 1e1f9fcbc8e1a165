import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.generator.domain.sampling import Room, check_asked, check_size, output_tokens_for
from services.runtime.errors import ComptoirError, Reason

TOKENS = st.integers(1, 5000)
ROOMS = st.builds(Room, TOKENS, TOKENS, TOKENS)


def grant(asked: int, input_tokens: int, room: Room) -> int:
    check_asked(asked, room)
    return output_tokens_for(asked, input_tokens, room)


@given(asked=st.integers(0, 5000), input_tokens=TOKENS, room=ROOMS)
def test_what_is_granted_fits_the_ticket_and_the_context(asked: int, input_tokens: int, room: Room) -> None:
    beyond_ticket = asked > room.permitted_output_tokens or input_tokens > room.permitted_input_tokens
    beyond_context = input_tokens + max(asked, 1) > room.context_tokens
    if beyond_ticket or beyond_context:
        with pytest.raises(ComptoirError) as error:
            grant(asked, input_tokens, room)
        asked_too_much = asked > room.permitted_output_tokens
        is_the_ticket = asked_too_much or not beyond_context
        expected = Reason.TICKET_LIMIT_EXCEEDED if is_the_ticket else Reason.CONTEXT_TOO_LONG
        assert error.value.reason is expected
        return
    granted = grant(asked, input_tokens, room)
    assert 1 <= granted <= room.permitted_output_tokens
    assert input_tokens <= room.permitted_input_tokens
    assert input_tokens + granted <= room.context_tokens
    assert asked in (0, granted)


def test_text_that_cannot_fit_is_refused_before_anybody_tokenizes_it() -> None:
    room = Room(100, 100, 10)
    check_size(640, 64, room)
    with pytest.raises(ComptoirError) as error:
        check_size(641, 64, room)
    assert error.value.reason is Reason.CONTEXT_TOO_LONG
