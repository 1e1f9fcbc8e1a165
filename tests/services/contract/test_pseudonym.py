from hypothesis import given
from hypothesis import strategies as st

from services.contract.pseudonym import Pseudonym, Pseudonyms

SECRET = bytes(range(32))
NUMBERS = st.integers(1, 2**64 - 1)


def test_nobody_stays_nobody() -> None:
    assert Pseudonyms(SECRET, 1).tenant(0) == Pseudonyms(SECRET, 1).key(0) == (0, 0)


def test_a_pseudonym_is_the_first_half_of_the_hmac() -> None:
    # HMAC-SHA256 of b"comptoir-pseudonym-v1\0tenant\0" and the number in 8 bytes, by another program.
    assert Pseudonyms(SECRET, 1).tenant(1) == Pseudonym(0xFECCE2856B1A16A6, 0x395EF1A84A994BCF)


@given(NUMBERS)
def test_the_same_number_has_the_same_pseudonym_after_a_restart(number: int) -> None:
    assert Pseudonyms(SECRET, 1).tenant(number) == Pseudonyms(SECRET, 1).tenant(number)


@given(NUMBERS)
def test_tenant_and_key_of_one_number_are_not_linked(number: int) -> None:
    pseudonyms = Pseudonyms(SECRET, 1)
    assert pseudonyms.tenant(number) != pseudonyms.key(number)


@given(NUMBERS)
def test_another_secret_gives_another_pseudonym(number: int) -> None:
    assert Pseudonyms(SECRET, 1).key(number) != Pseudonyms(bytes(32), 2).key(number)


@given(NUMBERS, NUMBERS)
def test_two_numbers_have_two_pseudonyms(one: int, other: int) -> None:
    pseudonyms = Pseudonyms(SECRET, 1)
    assert (pseudonyms.tenant(one) == pseudonyms.tenant(other)) == (one == other)


def test_it_remembers_a_bounded_number_and_stays_right() -> None:
    pseudonyms = Pseudonyms(SECRET, 1, remembered=2)
    first = pseudonyms.tenant(1)
    for number in range(2, 10):
        pseudonyms.tenant(number)
    assert pseudonyms.tenant.cache_info().currsize == 2
    assert pseudonyms.tenant(1) == first
