from hypothesis import given
from hypothesis import strategies as st

from services.edge.domain.openai.parameters import EXPECTED, expectation, public_name


@given(st.text())
def test_only_names_on_the_list_are_public(name: str) -> None:
    assert public_name(name) is None or public_name(name) in EXPECTED


def test_an_index_is_digits_and_nothing_else() -> None:
    assert public_name("messages[12].content") == "messages[12].content"
    assert public_name("messages[secret].content") is None
    assert public_name("messages[99999].content") is None


def test_a_seed_that_is_too_large_is_told_both_bounds() -> None:
    # 2^63 is a whole number of 64 bits too, without a sign.
    assert expectation("seed") == f"a whole number from {-(2**63)} to {2**63 - 1}"
