"""Amounts: two parts that are added up for themselves, as far as a shared store counts exactly."""

from hypothesis import given
from hypothesis import strategies as st

from services.router.domain.amount import MOST, NOTHING, Amount

AMOUNTS = st.builds(Amount, st.integers(0, MOST), st.integers(0, MOST))


@given(one=AMOUNTS, other=AMOUNTS)
def test_what_is_added_and_taken_away_is_nothing(one: Amount, other: Amount) -> None:
    assert one.plus(other).minus(other) == one
    assert one.plus(NOTHING) == one


@given(one=AMOUNTS, other=AMOUNTS)
def test_a_sum_that_is_kept_is_exact_in_a_double(one: Amount, other: Amount) -> None:
    grown = one.grown(other)
    assert [int(float(part)) for part in grown] == list(grown)
    # As the shared store reckons it.
    assert [min(float(a) + float(b), float(MOST)) for a, b in zip(one, other, strict=True)] == list(grown)


def test_of_two_amounts_each_part_is_the_larger() -> None:
    assert Amount(1, 5).most(Amount(2, 3)) == Amount(2, 5)
