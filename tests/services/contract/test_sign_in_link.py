"""A link's token is good until it expires, in one run, with the secret it is of, and as it was made."""

from hypothesis import given
from hypothesis import strategies as st

from services.contract.sign_in_link import LINK_SECONDS, NONCE_BYTES, RUN_BYTES, Moment

SECRET, NONCE, RUN, NOW = b"s" * 32, b"n" * NONCE_BYTES, b"r" * RUN_BYTES, 5_000
TOKEN = Moment(RUN, NOW).sign_in_token(SECRET, NONCE)


def at(seconds: int) -> Moment:
    return Moment(RUN, seconds)


def test_a_token_is_good_until_it_expires() -> None:
    assert len(TOKEN) == 60
    assert at(NOW).verified_nonce(SECRET, TOKEN) == NONCE
    assert at(NOW + LINK_SECONDS - 1).verified_nonce(SECRET, TOKEN) == NONCE
    assert at(NOW + LINK_SECONDS).verified_nonce(SECRET, TOKEN) is None


def test_a_token_of_another_secret_is_none() -> None:
    assert at(NOW).verified_nonce(b"o" * 32, TOKEN) is None


def test_a_token_of_another_run_is_none_at_any_time() -> None:
    for seconds in (0, NOW, NOW + LINK_SECONDS - 1):
        assert Moment(b"o" * RUN_BYTES, seconds).verified_nonce(SECRET, TOKEN) is None


def test_a_token_that_would_be_good_for_longer_than_a_link_is_none() -> None:
    assert at(NOW - 1).verified_nonce(SECRET, TOKEN) is None


LAST = 2**40 - 1 - LINK_SECONDS


def test_a_moment_of_which_no_link_could_end_is_none() -> None:
    last = Moment.read(at(LAST).text())
    assert last is not None
    assert last.sign_in_token(SECRET, NONCE)
    assert Moment.read(at(LAST + 1).text()) is None
    assert Moment.read(at(2**40 - 1).text()) is None


@given(seconds=st.integers(0, LAST), run=st.binary(min_size=RUN_BYTES, max_size=RUN_BYTES))
def test_what_a_console_tells_is_read_as_it_was_told(seconds: int, run: bytes) -> None:
    assert Moment.read(Moment(run, seconds).text()) == Moment(run, seconds)


@given(position=st.integers(0, 59), sign=st.sampled_from("ABab01-_"))
def test_no_changed_token_is_good(position: int, sign: str) -> None:
    changed = TOKEN[:position] + sign + TOKEN[position + 1 :]
    assert (at(NOW).verified_nonce(SECRET, changed) == NONCE) is (changed == TOKEN)


@given(st.text(max_size=80))
def test_any_text_is_read(text: str) -> None:
    assert at(NOW).verified_nonce(SECRET, text) is None
    Moment.read(text)
