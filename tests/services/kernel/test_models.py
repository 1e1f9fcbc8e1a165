"""What a model's tokens count and cost is exact to a thousandth, and to a billionth."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from services.kernel.catalog import MAX_COUNTED_TOKENS, Model, Price

_AMOUNTS = st.decimals(0, 100_000, places=3)


def model(**others: object) -> Model:
    return Model.model_validate(
        {"number": 1, "name": "one", "context_tokens": 2048, "max_output_tokens": 512, **others}
    )


def test_a_token_counts_as_one_and_costs_nothing_unless_the_catalog_says_otherwise() -> None:
    assert (model().weight_permille, model().price) == (1000, None)


@pytest.mark.parametrize(("weight", "permille"), [(0.1, 100), ("2.5", 2500), (3, 3000), (0.001, 1)])
def test_a_weight_is_taken_as_people_write_it(weight: object, permille: int) -> None:
    assert model(token_weight=weight).weight_permille == permille


@pytest.mark.parametrize("weight", [0, -1, 0.0005, 1001, "nan"])
def test_a_weight_that_is_none_or_too_fine_is_refused(weight: object) -> None:
    with pytest.raises(ValidationError):
        model(token_weight=weight)


def test_a_cached_token_costs_what_another_does_unless_it_has_its_own_price() -> None:
    price = Price.model_validate({"input_per_million_tokens": 0.15, "output_per_million_tokens": "0.6"})
    assert (price.input_nanos, price.cached_input_nanos, price.output_nanos) == (150, 150, 600)
    free = price.model_copy(update={"cached_input_per_million_tokens": Decimal(0)})
    assert free.cached_input_nanos == 0


@given(_AMOUNTS, _AMOUNTS, _AMOUNTS)
def test_a_million_tokens_cost_exactly_what_stands_in_the_catalog(
    prompt: Decimal, cached: Decimal, answer: Decimal
) -> None:
    price = Price(
        input_per_million_tokens=prompt,
        cached_input_per_million_tokens=cached,
        output_per_million_tokens=answer,
    )
    nanos = (price.input_nanos, price.cached_input_nanos, price.output_nanos)
    assert tuple(Decimal(each * 10**6) / 10**9 for each in nanos) == (prompt, cached, answer)
    # The largest request that is counted: a double holds its price to the last billionth.
    assert max(nanos) * MAX_COUNTED_TOKENS < 2**53
