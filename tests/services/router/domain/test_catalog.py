"""The catalog finds models and regions by number and by name."""

from tests.fakes.router import CATALOG, FRANCE, OTHER, TINY


def test_models_and_regions_are_found_both_ways() -> None:
    assert CATALOG.model_named("tiny-eu") is CATALOG.model(1) is TINY
    assert CATALOG.region_named("eu-fr") is CATALOG.region(1) is FRANCE


def test_what_is_not_there_is_none() -> None:
    assert CATALOG.model_named("absent") is CATALOG.model(9) is None
    assert CATALOG.region_named("atlantis") is CATALOG.region(9) is None


def test_models_are_listed_by_name() -> None:
    assert CATALOG.models == (OTHER, TINY)
