"""A reader of error bodies that would let the caller's words pass would show nothing."""

import pytest

from services.edge.domain.openai.errors import METHOD_NOT_ALLOWED, public_json
from tests.fuzz.leaks import LeakError, check_no_leak

SENT = b'{"messages":[{"role":"kanarienvogel"}]}'


@pytest.mark.parametrize("said", ["Invalid role kanarienvogel.", "Invalid 'messages[3].role'."])
def test_a_piece_of_what_was_sent_and_an_index_from_nowhere_are_leaks(said: str) -> None:
    with pytest.raises(LeakError) as leak:
        check_no_leak(public_json(METHOD_NOT_ALLOWED, message=said), SENT)
    assert "kanarienvogel" not in str(leak.value)


def test_words_that_are_the_same_for_everybody_are_none() -> None:
    body = public_json(METHOD_NOT_ALLOWED, param="messages[0].role")
    check_no_leak(body, SENT + METHOD_NOT_ALLOWED.message.encode() + b'"messages", "param":')
