"""A model by each of its names: whose tickets, which keys, and what the caller learns of the name."""

from typing import Any

import pytest

from services.kernel.catalog import Catalog
from services.kernel.errors import Reason
from tests.fakes.router import FRANCE, GERMANY, OTHER, TINY, AdmissionWorld, refusal_of, request_for


def named(**more: Any) -> AdmissionWorld:
    """A world whose tiny model has further names, and replaced the other one."""
    old = {"name": "other-eu", "deprecated_at_seconds": 1_780_000_000, "sunset_at_seconds": 1_800_000_000}
    tiny = {**TINY.model_dump(), "aliases": ["small"], "replaces": [old]}
    regions = [{**FRANCE.model_dump(), **more}, GERMANY.model_dump()]
    catalog = Catalog.model_validate({"regions": regions, "models": [tiny, OTHER.model_dump()]})
    return AdmissionWorld(catalog=catalog, region=catalog.regions[0])


@pytest.mark.parametrize("name", ["tiny-eu", "small", "other-eu", "default", ""])
async def test_every_name_of_a_model_gets_its_tickets_and_its_number_in_the_events(name: str) -> None:
    world = named(default_model="tiny-eu")
    world.add_replica()
    admission = await world.admitter.admit(request_for(await world.key(), model=name))
    assert admission.grant.model.name == "tiny-eu"
    assert [claims.model for claims in world.signer.signed] == [1]
    assert [event.model for event in world.log.events] == [1]
    retired = admission.model_name.retired
    assert (retired is None) == (name != "other-eu")
    assert retired is None or retired.sunset_at_seconds == 1_800_000_000


@pytest.mark.parametrize("name", ["small", "default"])
async def test_a_key_of_another_model_may_not_use_it_by_another_name(name: str) -> None:
    world = named(default_model="tiny-eu")
    refusal = await refusal_of(world, request_for(await world.key(models=(2,)), model=name))
    assert refusal.reason is Reason.MODEL_NOT_FOUND
    assert [event.model for event in world.log.events] == [1]


@pytest.mark.parametrize("number", [1, 2])
async def test_a_key_of_a_replaced_model_may_use_its_successor_by_the_old_name(number: int) -> None:
    world = named()
    world.add_replica()
    api_key = await world.key(models=(number,))
    await world.admitter.admit(request_for(api_key, model="other-eu"))
    assert [claims.model for claims in world.signer.signed] == [1]


@pytest.mark.parametrize(
    ("name", "reason", "field"),
    [("", Reason.REQUEST_INVALID, "model"), ("default", Reason.MODEL_NOT_FOUND, "")],
)
async def test_without_a_default_model_a_request_has_to_name_one(
    name: str, reason: Reason, field: str
) -> None:
    world = named()
    refusal = await refusal_of(world, request_for(await world.key(), model=name))
    assert (refusal.reason, refusal.field) == (reason, field)


async def test_a_key_sees_every_name_that_it_may_use_with_retired_ones_last() -> None:
    world = named(default_model="tiny-eu")
    every, other = await world.key(), await world.key(models=(2,))
    listed = await world.admitter.models_of(every)
    assert [name.name for name in listed] == ["tiny-eu", "default", "small", "other-eu"]
    assert {name.model.name for name in listed} == {"tiny-eu"}
    assert [name.name for name in await world.admitter.models_of(other)] == ["other-eu"]
