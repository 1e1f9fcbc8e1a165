"""A request that waits for a replica: nothing is reserved meanwhile, and nobody else waits for it."""

import asyncio

import pytest

from services.kernel.errors import ComptoirError, Reason
from services.router.domain.admission import Admission, AdmitRequest, Admitter
from services.router.domain.amount import Amount
from services.router.domain.lease import Process
from services.router.domain.quota import Payer
from services.router.domain.tenancy import Endpoint, KeyChange, Quota
from tests.contracts.engine_requests import until
from tests.fakes.router import IDLE, AdmissionWorld, changed_limits, refusal_of, request_for

HOLDING = changed_limits(hold_seconds=30.0)


async def held(world: AdmissionWorld, admitter: Admitter, request: AdmitRequest) -> "asyncio.Task[Admission]":
    """Asks while no replica is ready, and lets the request get as far as it can."""
    asking = asyncio.create_task(admitter.admit(request))
    await until(lambda: world.leases.held > 0 or asking.done(), 5)
    return asking


async def test_a_held_request_has_nothing_reserved_and_is_counted_once_when_it_is_placed() -> None:
    world = AdmissionWorld(limits=HOLDING)
    api_key = await world.key(quota=Quota(requests_per_minute=1, tokens_per_minute=150, concurrency=1))
    session, admitter = world.add_replica(load=None), world.admitter
    asking = await held(world, admitter, request_for(api_key))
    assert (asking.done(), world.store.in_flight, world.in_flight(), world.log.events) == (False, 0, 0, [])
    world.replicas.report(session, IDLE, world.clock.monotonic_seconds())
    world.leases.replicas_changed()
    admission = await asyncio.wait_for(asking, 5)
    assert (admission.quota.remaining_requests, admission.quota.remaining_tokens) == (0, 0)
    assert (world.store.in_flight, world.in_flight(), world.log.reasons) == (1, 1, [Reason.UNSPECIFIED])
    assert world.transitions == {"reserved": 2, "cancelled": 1}


async def test_a_held_request_that_is_cancelled_leaves_nothing_behind() -> None:
    world = AdmissionWorld(limits=HOLDING)
    api_key = await world.key(quota=Quota(requests_per_minute=1, tokens_per_minute=150, concurrency=1))
    session, admitter = world.add_replica(load=None), world.admitter
    asking = await held(world, admitter, request_for(api_key))
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert (world.leases.held, world.store.in_flight, world.in_flight(), world.log.events) == (0, 0, 0, [])
    world.replicas.report(session, IDLE, world.clock.monotonic_seconds())
    await admitter.admit(request_for(api_key))


async def test_a_spent_quota_is_told_at_once_where_others_are_held() -> None:
    world = AdmissionWorld(limits=HOLDING)
    api_key, spent = await world.key(), await world.key(quota=Quota(requests_per_minute=1))
    world.add_replica()
    admitter = world.admitter
    await admitter.admit(request_for(spent))
    world.replicas.leave(world.sessions[7], world.clock.monotonic_seconds())
    asking = await held(world, admitter, request_for(api_key))
    with pytest.raises(ComptoirError) as refusal:
        await asyncio.wait_for(admitter.admit(request_for(spent)), 5)
    assert refusal.value.reason is Reason.REQUESTS_EXHAUSTED
    asking.cancel()


async def test_a_key_whose_places_are_those_of_a_dead_replica_waits_for_them_and_for_the_next_one() -> None:
    world = AdmissionWorld(limits=HOLDING)
    api_key = await world.key(quota=Quota(concurrency=1))
    world.add_replica(incarnation=5)
    admitter = world.admitter
    await admitter.admit(request_for(api_key))
    claims = world.signer.signed[0]
    await world.leases.accept(
        Process(7, 5),
        claims.lease_id,
        claims.ticket_id,
        payer=Payer(claims.tenant, claims.key),
        permitted=Amount(150),
    )
    full = await refusal_of(world, request_for(api_key))
    assert full.reason is Reason.CONCURRENCY_EXHAUSTED, "its replica is ready"
    assert world.in_flight() == 1
    world.replicas.leave(world.sessions[7], world.clock.monotonic_seconds())
    asking = await held(world, admitter, request_for(api_key))
    assert not asking.done()
    world.add_replica(incarnation=6)
    assert await world.leases.lose_gone() == 1
    await asyncio.wait_for(asking, 5)


async def test_no_key_is_all_that_are_held() -> None:
    world = AdmissionWorld(limits=changed_limits(hold_seconds=30.0, held_requests=4))
    greedy, narrow, other = await world.key(), await world.key(quota=Quota(concurrency=1)), await world.key()
    world.add_replica(load=None)
    admitter = world.admitter
    asking = [
        asyncio.create_task(admitter.admit(request_for(api_key)))
        for api_key in (greedy, greedy, greedy, narrow, narrow, other, other)
    ]
    for _ in range(200):
        await asyncio.sleep(0)
    assert [one.done() for one in asking] == [False, False, True, False, True, False, True]
    for one in asking:
        one.cancel()
    results = await asyncio.gather(*asking, return_exceptions=True)
    refused = [one.reason for one in results if isinstance(one, ComptoirError)]
    assert refused == [Reason.NO_REPLICA] * 3


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (KeyChange(is_disabled=True), Reason.KEY_DISABLED),
        (KeyChange(expires_at_seconds=1), Reason.KEY_EXPIRED),
        (KeyChange(endpoints={Endpoint.EMBEDDINGS}), Reason.ENDPOINT_NOT_ALLOWED),
        (KeyChange(models={99}), Reason.MODEL_NOT_FOUND),
        (KeyChange(quota=Quota(tokens_per_day=1)), Reason.QUOTA_TOO_SMALL),
        (None, Reason.KEY_INVALID),
    ],
)
async def test_a_key_that_may_not_be_used_any_more_when_a_replica_is_there_gets_no_ticket(
    change: KeyChange | None, reason: Reason
) -> None:
    world = AdmissionWorld(limits=HOLDING)
    api_key = await world.key()
    session = world.add_replica(load=None)
    asking = await held(world, world.admitter, request_for(api_key))
    (number,) = world.keys.keys
    if change is None:
        await world.keys.delete_key(number)
    else:
        await world.keys.change_key(number, change)
    world.clock.advance(1.0)
    world.replicas.report(session, IDLE, world.clock.monotonic_seconds())
    world.leases.replicas_changed()
    with pytest.raises(ComptoirError) as refusal:
        await asyncio.wait_for(asking, 5)
    assert refusal.value.reason is reason
    assert (world.signer.signed, world.store.in_flight, world.in_flight()) == ([], 0, 0)
    assert [(event.reason, event.key) for event in world.log.events] == [(reason, number)]
