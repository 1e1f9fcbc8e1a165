"""A link's token is good until it expires, with the secret it was made from, and as it was made."""

from hypothesis import given
from hypothesis import strategies as st

from services.contract.sign_in_link import LINK_SECONDS, NONCE_BYTES, sign_in_token, verified_nonce

SECRET, NONCE, NOW = b"s" * 32, b"n" * NONCE_BYTES, 1_790_000_000


def test_a_token_is_good_until_it_expires() -> None:
    token = sign_in_token(SECRET, NONCE, NOW + LINK_SECONDS)
    assert len(token) == 44
    assert verified_nonce(SECRET, token, NOW) == NONCE
    assert verified_nonce(SECRET, token, NOW + LINK_SECONDS - 1) == NONCE
    assert verified_nonce(SECRET, token, NOW + LINK_SECONDS) is None


def test_a_token_of_another_secret_is_none() -> None:
    assert verified_nonce(b"o" * 32, sign_in_token(SECRET, NONCE, NOW + 1), NOW) is None


def test_a_token_that_would_be_good_for_longer_than_a_link_is_none() -> None:
    assert verified_nonce(SECRET, sign_in_token(SECRET, NONCE, NOW + LINK_SECONDS + 1), NOW) is None


@given(position=st.integers(0, 43), sign=st.sampled_from("ABab01-_"))
def test_no_changed_token_is_good(position: int, sign: str) -> None:
    token = sign_in_token(SECRET, NONCE, NOW + 1)
    changed = token[:position] + sign + token[position + 1 :]
    assert (verified_nonce(SECRET, changed, NOW) == NONCE) is (changed == token)


@given(st.text(max_size=80))
def test_any_text_is_read(text: str) -> None:
    assert verified_nonce(SECRET, text, NOW) is None
