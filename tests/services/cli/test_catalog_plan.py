"""A plan of a catalog says what differs, is done once it is applied, and gives no number to another name."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from deploy.local.stack.errors import StackError
from services.cli.catalog_plan import CatalogChange, applied, plan
from services.kernel.catalog import Catalog, Model, Region

REGIONS = {1: "eu-fr", 2: "eu-de", 3: "ae", 4: "us-east"}
NUMBERS = st.sets(st.integers(1, 6), min_size=1, max_size=5)


def region(number: int, place: str = "") -> Region:
    name = REGIONS[number]
    country = {"ae": "AE", "us-east": "US"}.get(name, "")
    return Region(number=number, name=name, country=country, is_eu=not country, jurisdiction=place)


@st.composite
def catalogs(draw: st.DrawFn) -> Catalog:
    """Catalogs in which a name always has the same number, and everything else differs."""
    numbers = draw(st.lists(st.sampled_from(sorted(REGIONS)), min_size=1, unique=True))
    places = st.sampled_from(["", "somewhere", "elsewhere"])
    models = draw(st.lists(st.integers(1, 6), min_size=1, unique=True))
    sizes = st.integers(1, 3)
    return Catalog(
        regions=tuple(region(number, draw(places)) for number in numbers),
        models=tuple(
            Model(
                number=number,
                name=f"model-{number}",
                aliases=draw(st.sampled_from([(), (f"alias-{number}",)])),
                context_tokens=draw(sizes),
                max_output_tokens=draw(sizes),
            )
            for number in models
        ),
        currency=draw(st.sampled_from(["EUR", "CHF"])),
    )


def told(catalog: Catalog) -> dict[str, Any]:
    return catalog.model_dump(mode="json")


@given(catalogs(), catalogs())
def test_what_is_applied_is_what_was_declared_and_leaves_nothing_to_do(
    present: Catalog, declared: Catalog
) -> None:
    after = applied(present, declared)
    assert plan(told(after), declared) == []
    assert applied(after, declared) == after
    for kind in ("regions", "models"):
        assert {one.number: one for one in getattr(after, kind)} == {
            one.number: one for one in getattr(declared, kind)
        }
        # Whatever was there has its number for ever.
        known = {one.number: one.name for one in (*getattr(after, kind), *getattr(after, f"former_{kind}"))}
        assert all(known[one.number] == one.name for one in getattr(present, kind))


@given(catalogs(), catalogs())
def test_a_plan_says_each_difference_once(present: Catalog, declared: Catalog) -> None:
    changes = plan(told(present), declared)
    before, after = ({one.number for one in catalog.models} for catalog in (present, declared))
    of_models = {(one.what, one.number) for one in changes if one.kind == "model"}
    assert {number for what, number in of_models if what == "added"} == after - before
    assert {number for what, number in of_models if what == "removed"} == before - after
    assert len({(one.kind, one.number) for one in changes}) == len(changes)
    assert (changes == []) == (applied(present, declared) == present)


@given(catalogs(), catalogs(), st.integers(1, 6))
def test_a_number_is_never_given_to_another_name(present: Catalog, declared: Catalog, number: int) -> None:
    after = applied(present, declared)
    other = Model(number=number, name="other", context_tokens=1, max_output_tokens=1)
    known = {one.number for one in after.models} | {one.number for one in after.former_models}
    models = (*(one for one in after.models if one.number != number), other)
    again = Catalog(regions=after.regions, models=models)
    if number not in known:
        assert CatalogChange("added", "model", number, "other") in plan(told(after), again)
        return
    with pytest.raises(StackError, match=f"Model number {number} is that of model-{number}"):
        plan(told(after), again)
    # Settings that were written by hand are refused too.
    with pytest.raises(ValidationError):
        Catalog(models=(other,), former_models=({"number": number, "name": "was"},))  # type: ignore[arg-type]


def test_a_name_keeps_its_number() -> None:
    present = Catalog(models=(Model(number=1, name="f3", context_tokens=1, max_output_tokens=1),))
    declared = Catalog(models=(Model(number=2, name="f3", context_tokens=1, max_output_tokens=1),))
    with pytest.raises(StackError, match="Model f3 has number 1"):
        plan(told(present), declared)


def test_what_a_newer_router_says_more_is_no_difference() -> None:
    declared = Catalog(models=(Model(number=1, name="f3", context_tokens=1, max_output_tokens=1),))
    present = told(declared)
    present["later"] = 1
    present["models"][0]["later"] = 1
    assert plan(present, declared) == []
    del present["former_models"]
    assert plan(present, declared) == []
