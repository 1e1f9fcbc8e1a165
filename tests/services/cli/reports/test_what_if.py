"""--what-if: what it takes, and where prices and speeds come from."""

import pytest

from deploy.local.stack.errors import StackError
from services.cli.adapters.gpu_catalog import load_gpus
from services.cli.reports.cost import WhatIf
from services.cli.reports.what_if import Asked, parse_what_if, supposed

CATALOG = load_gpus(None, None)


def test_it_takes_an_accelerator_and_numbers_in_any_order() -> None:
    assert parse_what_if("utilisation=0.8, gpu=l40s") == Asked("l40s", 0.8)
    assert parse_what_if("price=1.2,speed=0.5") == Asked(price=1.2, speed=0.5)


@pytest.mark.parametrize(
    "text",
    [
        *("gpu", "gpu=", "gpu=a,gpu=b", "cpu=1", "utilisation=x", "utilisation=0", "utilisation=80"),
        *("utilisation=nan", "price=-1", "price=inf", "speed=0"),
    ],
)
def test_anything_else_is_one_sentence_with_what_it_takes(text: str) -> None:
    with pytest.raises(StackError, match="--what-if"):
        parse_what_if(text)


def test_the_price_list_goes_before_the_catalog_and_a_price_of_ones_own_before_both() -> None:
    listed = {"l40s": 1.4}
    assert supposed(Asked("l40s", 0.8), "l40s", listed, "EUR", CATALOG) == (
        WhatIf(1.4, 0.8, 1.0),
        "1.4 EUR an hour by the price list; as fast as now",
    )
    what, _source = supposed(Asked("l40s", price=9.0), "l40s", listed, "EUR", CATALOG)
    assert what.price_per_hour == 9
    what, source = supposed(Asked("l40s"), "h100", {}, "EUR", CATALOG)
    gpu = CATALOG.by_name("l40s")
    assert gpu is not None
    assert what.price_per_hour == CATALOG.price_per_hour(gpu)
    assert what.speed == pytest.approx(864 / 3350)
    assert "nebius" in source
    assert "0.26 times as fast, by memory bandwidth" in source


def test_a_bandwidth_that_is_not_known_changes_no_speed_and_says_so() -> None:
    what, source = supposed(Asked("l40s"), "7", {}, "EUR", CATALOG)
    assert what.speed == 1
    assert "say speed=" in source


@pytest.mark.parametrize(("gpu", "currency"), [("tpu", "EUR"), ("l40s", "SEK")])
def test_a_price_that_nobody_knows_is_asked_for(gpu: str, currency: str) -> None:
    with pytest.raises(StackError, match=f"No price of {gpu} in {currency} is known: .*price=1.20"):
        supposed(Asked(gpu), "h100", {}, currency, CATALOG)


def test_without_an_accelerator_what_was_paid_stays() -> None:
    assert supposed(Asked(utilisation=0.5), "7", {}, "EUR", CATALOG) == (
        WhatIf(None, 0.5, 1.0),
        "the price that was paid; as fast as now",
    )
