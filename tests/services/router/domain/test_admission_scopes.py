"""A key with a scope is admitted where that says, and another ticket is one of what the scope is by then."""

from dataclasses import replace

import pytest

from services.kernel.catalog import Catalog, RetiredName
from services.kernel.errors import ComptoirError, Reason
from services.router.domain.tenancy import Endpoint, KeyChange, Priority
from tests.fakes.router import FRANCE, GERMANY, OTHER, TINY, AdmissionWorld, refusal_of, request_for


@pytest.mark.parametrize("allowed", list(Endpoint))
async def test_a_request_is_admitted_where_its_key_may_be_used(allowed: Endpoint) -> None:
    world = AdmissionWorld()
    world.add_replica()
    api_key = await world.key()
    for number in world.keys.keys:
        await world.keys.change_key(number, KeyChange(endpoints={allowed}))
    requests = {endpoint: replace(request_for(api_key), endpoint=endpoint) for endpoint in Endpoint}
    await world.admitter.admit(requests.pop(allowed))
    for request in requests.values():
        assert (await refusal_of(world, request)).reason is Reason.ENDPOINT_NOT_ALLOWED
    # Of a refusal nothing stays reserved, and its event says why.
    assert len(world.signer.signed) == 1
    assert [event.reason for event in world.log.events[1:]] == [Reason.ENDPOINT_NOT_ALLOWED] * len(requests)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (KeyChange(models={OTHER.number}), Reason.MODEL_NOT_FOUND),
        (KeyChange(endpoints={Endpoint.COUNTS}), Reason.ENDPOINT_NOT_ALLOWED),
        (KeyChange(regions={GERMANY.number}), Reason.REGION_NOT_ALLOWED),
        (KeyChange(models={TINY.number}, endpoints={Endpoint.RESPONSES}, regions={FRANCE.number}), None),
    ],
)
async def test_a_scope_that_a_key_lost_holds_for_another_ticket_too(
    change: KeyChange, reason: Reason | None
) -> None:
    world = AdmissionWorld()
    world.add_replica(1)
    world.add_replica(2)
    api_key = await world.key()
    lease = (await world.admitter.admit(request_for(api_key))).grant.lease_id
    for number in world.keys.keys:
        await world.keys.change_key(number, change)
    if reason is None:
        await world.admitter.next_offer(api_key, lease, Endpoint.RESPONSES)
        assert len(world.signer.signed) == 2
        return
    with pytest.raises(ComptoirError) as refusal:
        await world.admitter.next_offer(api_key, lease, Endpoint.RESPONSES)
    assert refusal.value.reason is reason
    assert len(world.signer.signed) == 1


async def test_a_caller_that_says_no_endpoint_has_its_further_tickets() -> None:
    world = AdmissionWorld()
    world.add_replica(1)
    world.add_replica(2)
    api_key = await world.key()
    lease = (await world.admitter.admit(request_for(api_key))).grant.lease_id
    for number in world.keys.keys:
        await world.keys.change_key(number, KeyChange(endpoints={Endpoint.COUNTS}))
    await world.admitter.next_offer(api_key, lease)
    assert len(world.signer.signed) == 2


async def test_a_key_of_a_model_that_was_replaced_has_further_tickets_of_its_successor() -> None:
    old = RetiredName(name=OTHER.name, deprecated_at_seconds=1)
    world = AdmissionWorld(catalog=Catalog(models=(TINY.model_copy(update={"replaces": (old,)}), OTHER)))
    world.add_replica(1)
    world.add_replica(2)
    api_key = await world.key(models=[OTHER.number])
    lease = (await world.admitter.admit(replace(request_for(api_key), model=OTHER.name))).grant.lease_id
    await world.admitter.next_offer(api_key, lease)
    assert [claims.model for claims in world.signer.signed] == [TINY.number] * 2


async def test_another_ticket_has_the_best_class_that_its_key_has_by_then() -> None:
    world = AdmissionWorld()
    world.add_replica(1)
    world.add_replica(2)
    api_key = await world.key(best_priority=Priority.INTERACTIVE)
    asked = replace(request_for(api_key), priority=Priority.INTERACTIVE)
    lease = (await world.admitter.admit(asked)).grant.lease_id
    for number in world.keys.keys:
        await world.keys.change_key(number, KeyChange(best_priority=Priority.BATCH))
    await world.admitter.next_offer(api_key, lease)
    assert [claims.priority for claims in world.signer.signed] == [Priority.INTERACTIVE, Priority.BATCH]
