"""What requests reserve and use: never more is used than was reserved, and every number is whole."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.kernel.catalog import Model, Price
from services.router.domain import pricing
from services.router.domain.amount import Amount
from services.router.domain.sizing import size_of


def model(weight: str = "1", *prices: str) -> Model:
    named = dict(
        zip(("input", "cached_input", "output"), map(Decimal, prices), strict=False) if prices else ()
    )
    price = Price(**{f"{name}_per_million_tokens": each for name, each in named.items()}) if prices else None
    return Model(
        number=1,
        name="m",
        context_tokens=1_000,
        max_output_tokens=600,
        max_bytes_per_token=1,
        token_weight=Decimal(weight),
        price=price,
    )


MONEY = st.decimals(0, 100_000, places=3).map(str)


@given(
    st.decimals("0.001", 1000, places=3).map(str),
    st.tuples(MONEY, MONEY, MONEY),
    st.integers(1, 999),
    st.integers(1, 600),
    st.integers(1, 4),
    st.data(),
)
def test_nothing_uses_more_than_was_reserved_and_permitted(
    weight: str, prices: tuple[str, str, str], bound: int, output: int, choices: int, data: st.DataObject
) -> None:
    dear = model(weight, *prices)
    size = size_of(dear, bound, output, choices)
    input_tokens = data.draw(st.integers(0, size.input_tokens))
    most = min(size.output_tokens, size.context_tokens - input_tokens)
    output_tokens = sum(data.draw(st.integers(0, most)) for _ in range(choices))
    cached_tokens = data.draw(st.integers(0, input_tokens))
    used = pricing.used(dear, input_tokens, cached_tokens, output_tokens)
    reserved = pricing.reserved(dear, size)
    permitted = pricing.permitted(dear, size.input_tokens + choices * size.output_tokens)
    assert used.tokens <= reserved.tokens <= permitted.tokens
    assert used.nanos <= reserved.nanos <= permitted.nanos


def test_each_kind_of_token_has_its_price() -> None:
    dear = model("1", "0.5", "0.05", "1.5")
    assert pricing.used(dear, 100, 40, 10) == Amount(110, 60 * 500 + 40 * 50 + 10 * 1_500)


def test_a_model_without_a_price_costs_nothing() -> None:
    assert pricing.used(model(), 3, 0, 4) == Amount(7)
    assert pricing.reserved(model(), size_of(model(), 3, 4)) == Amount(7)
    assert pricing.permitted(model(), 7) == Amount(7)


@pytest.mark.parametrize(("weight", "counted"), [("1", 7), ("2.5", 18), ("0.001", 1), ("0.5", 4)])
def test_weighted_tokens_are_rounded_up(weight: str, counted: int) -> None:
    assert pricing.used(model(weight), 3, 0, 4).tokens == counted
