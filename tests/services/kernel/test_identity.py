"""Identities travel as two numbers and as hexadecimal digits, and come back the same."""

from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from services.kernel.identity import Identity, digest64

HALVES = st.integers(0, 2**64 - 1)


@given(high=HALVES, low=HALVES)
def test_hex_and_back_is_the_same_identity(high: int, low: int) -> None:
    identity = Identity(high, low)
    assert len(identity.hex) == 32
    assert Identity.from_hex(identity.hex) == identity
    assert identity.is_set == (identity != Identity(0, 0))


@given(earlier=st.integers(0, 2**52 - 2), later=st.integers(1, 1_000_000))
def test_identities_of_later_moments_sort_behind_and_those_of_one_moment_differ(
    earlier: int, later: int
) -> None:
    assert Identity.dated(earlier) < Identity.dated(min(earlier + later, 2**52 - 1))
    assert len({Identity.dated(earlier) for _ in range(10)}) == 10
    assert Identity.from_hex(Identity.dated(earlier).hex) is not None


@given(text=st.text(max_size=40))
def test_any_other_text_is_no_identity(text: str) -> None:
    found = Identity.from_hex(text)
    assert found is None or found.hex == text


def test_upper_case_spaces_and_other_alphabets_are_refused() -> None:
    for text in ("A" * 32, " " + "a" * 31, "a" * 32 + "\n", "٣" * 32, "0x" + "a" * 30):
        assert Identity.from_hex(text) is None


@given(value=st.uuids(), is_upper=st.booleans(), has_hyphens=st.booleans())
def test_a_uuid_is_an_identity_in_every_spelling(value: UUID, is_upper: bool, has_hyphens: bool) -> None:
    spelt = str(value) if has_hyphens else value.hex
    found = Identity.from_uuid(spelt.upper() if is_upper else spelt)
    assert found is not None
    assert found.hex == value.hex


def test_what_is_nearly_a_uuid_is_none() -> None:
    for text in (
        "",
        "a" * 31,
        "a-" * 16,
        f"{'a' * 32}-",
        f"{'a' * 8}-{'a' * 24}",
        "{" + "a" * 32 + "}",
        "é" * 32,
    ):
        assert Identity.from_uuid(text) is None


def test_random_identities_fit_and_differ() -> None:
    made = {Identity.random() for _ in range(1000)}
    assert len(made) == 1000
    assert all(0 <= half < 2**64 for identity in made for half in identity)


@given(content=st.binary(max_size=64))
def test_a_digest_is_64_bits_and_always_the_same(content: bytes) -> None:
    assert 0 <= digest64(content) < 2**64
    assert digest64(content) == digest64(content)
