"""The catalog: numbers and names are unique, and either finds the entry."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from services.kernel.catalog import Catalog, Model, Region

REGION = {"number": 1, "name": "eu-fr"}
MODEL = {"number": 1, "name": "tiny-eu", "context_tokens": 512, "max_output_tokens": 256}


def catalog(
    regions: list[dict[str, Any]] | None = None, models: list[dict[str, Any]] | None = None
) -> Catalog:
    return Catalog.model_validate({"regions": regions or [REGION], "models": models or [MODEL]})


def test_entries_are_found_by_number_and_by_name() -> None:
    found = catalog(
        [REGION, {"number": 7, "name": "eu-de"}], [MODEL, {**MODEL, "number": 9, "name": "other"}]
    )
    assert found.region_by_name("eu-de") == Region(number=7, name="eu-de")
    assert found.region_by_number(1) == Region(number=1, name="eu-fr")
    assert found.model_by_name("other") == Model.model_validate({**MODEL, "number": 9, "name": "other"})
    assert found.model_by_number(9) == found.model_by_name("other")


@given(name=st.text(max_size=20), number=st.integers())
def test_what_is_not_there_is_none(name: str, number: int) -> None:
    found = catalog()
    assert (found.region_by_name(name) is None) == (name != "eu-fr")
    assert (found.model_by_name(name) is None) == (name != "tiny-eu")
    assert (found.region_by_number(number) is None) == (number != 1)
    assert (found.model_by_number(number) is None) == (number != 1)


@pytest.mark.parametrize(
    ("regions", "models"),
    [
        ([REGION, {"number": 1, "name": "eu-de"}], [MODEL]),
        ([REGION, {"number": 2, "name": "eu-fr"}], [MODEL]),
        ([REGION], [MODEL, {**MODEL, "number": 2}]),
        ([REGION], [MODEL, {**MODEL, "name": "other"}]),
        ([{"number": 0, "name": "eu-fr"}], [MODEL]),
        ([{"number": 1, "name": "Nowhere At All"}], [MODEL]),
        ([REGION], [{**MODEL, "context_tokens": 0}]),
        ([REGION], [{**MODEL, "colour": "red"}]),
    ],
)
def test_doubles_and_nonsense_are_refused(
    regions: list[dict[str, Any]], models: list[dict[str, Any]]
) -> None:
    with pytest.raises(ValidationError):
        catalog(regions, models)


def test_a_region_is_in_the_eu_unless_it_says_otherwise() -> None:
    assert Region(number=1, name="eu-fr").is_eu
    assert not Region(number=2, name="us-east", is_eu=False).is_eu
