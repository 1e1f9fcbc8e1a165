"""A key is served in the region that answers it, and outside the EU by a transfer record alone."""

import random

import pytest

from services.kernel.catalog import Catalog, Region
from services.kernel.errors import ComptoirError, Reason
from services.router.domain.admission import AdmitRequest
from services.router.domain.residency import Residency
from tests.fakes.permits import MemoryPermits
from tests.fakes.router import FRANCE, TINY, AdmissionWorld, request_for

GERMANY = Region(number=2, name="eu-de", base_url="https://de.example/v1")
US_EAST = Region(number=3, name="us-east", country="US", is_eu=False, base_url="https://us.example/v1")
EMIRATES = Region(number=4, name="ae", country="AE", is_eu=False)
# Regions whose keys somebody may show, one of which no catalog has.
NAMES = ("eu-fr", "eu-de", "us-east", "ae", "eu-pl")


def world_in(
    region: Region, *, answered_by: str = "", records: dict[tuple[str, str], int] | None = None
) -> AdmissionWorld:
    france = FRANCE.model_copy(update={"answered_by": answered_by})
    catalog = Catalog(models=(TINY,), regions=(france, GERMANY, US_EAST, EMIRATES))
    return AdmissionWorld(catalog=catalog, region=region, permits=MemoryPermits(records or {}))


async def reason_of(world: AdmissionWorld, request: AdmitRequest) -> ComptoirError:
    with pytest.raises(ComptoirError) as refusal:
        await world.admitter.admit(request)
    return refusal.value


async def test_a_key_of_another_region_is_sent_there_and_not_looked_up() -> None:
    world = world_in(FRANCE)
    world.add_replica()
    refusal = await reason_of(world, request_for(await world.key(region="eu-de")))
    assert (refusal.reason, refusal.base_url) == (Reason.WRONG_REGION, "https://de.example/v1")
    assert world.keys.finds == 0


async def test_a_mistyped_key_of_another_region_learns_nothing_of_it() -> None:
    world = world_in(FRANCE)
    api_key = await world.key(region="eu-de")
    refusal = await reason_of(world, request_for(api_key[:-1] + ("0" if api_key[-1] != "0" else "1")))
    assert (refusal.reason, refusal.base_url) == (Reason.KEY_INVALID, "")


async def test_a_key_of_a_region_that_the_catalog_does_not_have_is_no_key() -> None:
    world = world_in(FRANCE)
    refusal = await reason_of(world, request_for(await world.key(region="eu-pl")))
    assert (refusal.reason, world.keys.finds) == (Reason.KEY_INVALID, 0)


async def test_a_region_that_answers_for_another_serves_its_keys_and_the_other_does_not() -> None:
    world = world_in(GERMANY, answered_by="eu-de")
    world.add_replica(region=GERMANY.number)
    await world.admitter.admit(request_for(await world.key()))
    (claims,) = world.signer.signed
    assert (claims.region, claims.home_region, claims.transfer_record) == (2, 1, 0)
    home = world_in(FRANCE, answered_by="eu-de")
    home.add_replica()
    refusal = await reason_of(home, request_for(await home.key()))
    assert (refusal.reason, refusal.base_url) == (Reason.WRONG_REGION, "https://de.example/v1")


async def test_outside_the_eu_nobody_is_served_without_a_record() -> None:
    world = world_in(US_EAST, answered_by="us-east", records={("ae", "eu-fr"): 6})
    world.add_replica(region=US_EAST.number)
    refusal = await reason_of(world, request_for(await world.key()))
    assert refusal.reason is Reason.REGION_NOT_ALLOWED
    # Not even who is at home there.
    at_home = await world.key(tenant="local", region="us-east", home=US_EAST.number)
    assert (await reason_of(world, request_for(at_home))).reason is Reason.REGION_NOT_ALLOWED
    assert world.signer.signed == []


async def test_under_a_record_tickets_admissions_and_counts_carry_its_number() -> None:
    world = world_in(US_EAST, answered_by="us-east", records={("us-east", "eu-fr"): 7})
    world.add_replica(region=US_EAST.number)
    world.add_replica(number=8, region=US_EAST.number)
    api_key = await world.key()
    admission = await world.admitter.admit(request_for(api_key))
    # The record was renewed meanwhile: the next ticket says what permits it now.
    world.permits.records["us-east", "eu-fr"] = 9
    await world.admitter.next_offer(api_key, admission.grant.lease_id)
    assert [claims.transfer_record for claims in world.signer.signed] == [7, 9]
    assert [event.transfer_record for event in world.log.events] == [7]


async def test_what_is_refused_under_a_record_says_its_number_to_the_caller_too() -> None:
    world = world_in(US_EAST, answered_by="us-east", records={("us-east", "eu-fr"): 7})
    refusal = await reason_of(world, request_for(await world.key()))
    assert (refusal.reason, refusal.transfer_record, refusal.home_region) == (Reason.NO_REPLICA, 7, 1)
    assert [event.transfer_record for event in world.log.events] == [7]


async def test_a_record_that_ends_between_two_tickets_permits_no_further_one() -> None:
    world = world_in(US_EAST, answered_by="us-east", records={("us-east", "eu-fr"): 7})
    world.add_replica(region=US_EAST.number)
    world.add_replica(number=8, region=US_EAST.number)
    api_key = await world.key()
    admission = await world.admitter.admit(request_for(api_key))
    world.permits.records.clear()
    with pytest.raises(ComptoirError) as refusal:
        await world.admitter.next_offer(api_key, admission.grant.lease_id)
    assert refusal.value.reason is Reason.REGION_NOT_ALLOWED


async def tickets_outside(seed: int) -> tuple[int, int]:
    """How many tickets a random catalog gave, and how many of them nothing permits."""
    chance = random.Random(seed)
    names = chance.sample(NAMES[:4], chance.randint(1, 4))
    regions = []
    for number, name in enumerate(names, 1):
        others = [other for other in names if other != name]
        moved = chance.choice(others) if others and number == 1 and chance.random() < 0.6 else ""
        country = {"us-east": "US", "ae": "AE"}.get(name, "")
        regions.append(
            Region(number=number, name=name, country=country, is_eu=not country, answered_by=moved)
        )
    here = chance.choice(regions)
    records = {
        (chance.choice(NAMES), chance.choice(NAMES)): chance.randint(1, 99)
        for _ in range(chance.randint(0, 4))
    }
    catalog = Catalog(models=(TINY,), regions=tuple(regions))
    world = AdmissionWorld(catalog=catalog, region=here, permits=MemoryPermits(records))
    for region in regions:
        world.add_replica(number=region.number, region=region.number)
    for number in range(3):
        home = chance.choice(regions)
        named = home.name if chance.random() < 0.7 else chance.choice(NAMES)
        api_key = await world.key(tenant=f"t{number}", region=named, home=home.number)
        try:
            await world.admitter.admit(request_for(api_key))
        except ComptoirError:
            continue
        claims = world.signer.signed[-1]
        answering = catalog.answering(named)
        is_right = claims.region == here.number and answering is not None and answering == here
        permitted = 0 if here.is_eu else records.get((here.name, home.name), -1)
        assert is_right
        assert claims.transfer_record == permitted
    outside = [
        claims
        for claims in world.signer.signed
        if not here.is_eu
        and records.get((here.name, regions[claims.home_region - 1].name)) != claims.transfer_record
    ]
    return len(world.signer.signed), len(outside)


async def test_no_catalog_makes_a_ticket_outside_what_it_and_the_records_permit() -> None:
    given = [await tickets_outside(seed) for seed in range(300)]
    assert sum(tickets for tickets, _ in given) > 100
    assert sum(outside for _, outside in given) == 0


@pytest.mark.system
async def test_ten_thousand_random_catalogs_give_no_ticket_outside() -> None:
    given = [await tickets_outside(seed) for seed in range(10_000)]
    assert sum(tickets for tickets, _ in given) > 3_000
    assert sum(outside for _, outside in given) == 0


def test_a_tenant_whose_home_left_the_catalog_is_not_served_abroad() -> None:
    residency = Residency(world_in(US_EAST).catalog, US_EAST, MemoryPermits({("us-east", "eu-fr"): 7}))
    with pytest.raises(ComptoirError):
        residency.transfer_record(99)
