"""Regions: nothing abroad is called the European Union, and one region answers for another at most."""

from typing import Any

import pytest
from pydantic import ValidationError

from services.kernel.catalog import Catalog, Model, Region
from services.kernel.regions import EU_COUNTRIES, FRANCE

TINY = Model(number=1, name="tiny-eu", context_tokens=1024, max_output_tokens=512)


def test_france_is_the_region_unless_another_is_given() -> None:
    assert Catalog(models=(TINY,)).regions == (FRANCE,)
    assert (FRANCE.name, FRANCE.country, FRANCE.is_eu) == ("eu-fr", "FR", True)
    assert len(EU_COUNTRIES) == 27


@pytest.mark.parametrize(
    "fields",
    [
        {"name": "us-east"},
        {"name": "ae"},
        {"name": "us-east", "country": "US"},
        {"name": "eu-fr", "country": "US"},
        {"name": "eu-xx"},
        {"name": "eu-uk", "country": "GB"},
        {"name": "eu-fr", "is_eu": False},
        {"name": "us-east", "country": "FR", "is_eu": False},
        {"name": "eu-fr", "base_url": "https://fr.example"},
        {"name": "eu-fr", "base_url": "fr.example/v1"},
    ],
)
def test_a_region_that_is_not_where_it_says_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Region(number=1, **fields)


@pytest.mark.parametrize(
    ("name", "country", "is_eu"), [("ae", "AE", False), ("us-east", "US", False), ("de-fra", "DE", True)]
)
def test_regions_need_not_be_called_european_to_be(name: str, country: str, is_eu: bool) -> None:
    assert Region(number=2, name=name, country=country, is_eu=is_eu).is_eu is is_eu


def moved(**answered_by: str) -> Catalog:
    regions = [
        Region(number=number, name=name, answered_by=answered_by.get(name.removeprefix("eu-"), ""))
        for number, name in enumerate(("eu-fr", "eu-de", "eu-pl"), 1)
    ]
    return Catalog(models=(TINY,), regions=tuple(regions))


def test_a_key_is_answered_at_home_or_where_the_catalog_says() -> None:
    catalog = moved(fr="eu-de")
    answering = {name: catalog.answering(name) for name in ("eu-fr", "eu-de", "eu-pl", "eu-es")}
    names = {name: region.name if region else None for name, region in answering.items()}
    assert names == {"eu-fr": "eu-de", "eu-de": "eu-de", "eu-pl": "eu-pl", "eu-es": None}


@pytest.mark.parametrize(
    "answered_by",
    [{"fr": "eu-es"}, {"fr": "eu-fr"}, {"fr": "eu-de", "de": "eu-pl"}, {"fr": "eu-de", "de": "eu-fr"}],
)
def test_nobody_answers_for_another_through_a_third(answered_by: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        moved(**answered_by)
