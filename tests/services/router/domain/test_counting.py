"""A ticket to count: whose, for which replica, and what it takes of a quota."""

import pytest

from services.kernel.errors import ComptoirError, Reason
from services.kernel.identity import Identity
from services.router.domain.admission import Deployment, Ports
from services.router.domain.authentication import Authenticator
from services.router.domain.counting import CountAdmission, CountAdmitter, CountRequest
from services.router.domain.tenancy import Endpoint, KeyChange, Quota
from services.router.domain.wrong_keys import WrongKeyLimits, WrongKeys
from tests.fakes.router import PEPPER, AdmissionWorld, busy, request_for
from tests.services.router.domain.test_residency import US_EAST, world_in


def admitter(world: AdmissionWorld) -> CountAdmitter:
    ports = Ports(world.leases, world.offers, world.replicas, world.log, world.clock, world.batch)
    wrong_keys = WrongKeys(WrongKeyLimits(), world.clock)
    authenticator = Authenticator(world.keys, wrong_keys, pepper=PEPPER, residency=world.residency)
    deployment = Deployment(world.catalog, world.region, config_digest=99)
    return CountAdmitter(ports, authenticator, deployment)


async def count(
    world: AdmissionWorld, api_key: str, model: str = "tiny-eu", tokens: int = 100
) -> CountAdmission:
    return await admitter(world).admit(CountRequest(api_key, model, tokens, Identity(3, 4)))


async def refusal_of(
    world: AdmissionWorld, api_key: str, model: str = "tiny-eu", tokens: int = 100
) -> Reason:
    with pytest.raises(ComptoirError) as refusal:
        await count(world, api_key, model, tokens)
    return refusal.value.reason


async def test_a_count_gets_a_ticket_without_output_and_without_a_lease() -> None:
    world = AdmissionWorld()
    world.add_replica()
    admission = await count(world, await world.key())
    assert admission.offer.generator_address == "127.0.0.1:9007"
    (claims,) = world.signer.signed
    assert (claims.max_input_tokens, claims.max_output_tokens, claims.choices) == (100, 0, 1)
    assert claims.lease_id == Identity(0, 0)
    assert claims.request_id == Identity(3, 4)
    assert (claims.tenant, claims.key, claims.model) == (1, 2, 1)
    assert world.in_flight() == 0
    assert not world.log.events
    assert not world.transitions


async def test_a_count_takes_a_request_and_neither_tokens_nor_a_place() -> None:
    world = AdmissionWorld()
    world.add_replica()
    api_key = await world.key(quota=Quota(requests_per_minute=3, tokens_per_minute=200, concurrency=1))
    await world.admitter.admit(request_for(api_key, prompt_tokens_upper_bound=150, max_output_tokens=50))
    quota = (await count(world, api_key)).quota
    assert (quota.remaining_requests, quota.remaining_tokens) == (1, 0)
    await count(world, api_key)
    assert await refusal_of(world, api_key) is Reason.REQUESTS_EXHAUSTED


async def test_a_refused_count_takes_nothing() -> None:
    world = AdmissionWorld()
    api_key = await world.key(quota=Quota(requests_per_minute=1))
    assert await refusal_of(world, api_key) is Reason.NO_REPLICA
    world.add_replica()
    assert await refusal_of(world, api_key, tokens=1024 * 64 + 1) is Reason.CONTEXT_TOO_LONG
    await count(world, api_key)


async def test_a_full_replica_counts_and_one_that_is_not_ready_does_not() -> None:
    world = AdmissionWorld()
    world.add_replica(7, busy(running=4, waiting=9))
    world.add_replica(8, None)
    await count(world, await world.key())
    assert [claims.replica for claims in world.signer.signed] == [7]


async def test_counts_go_to_one_replica_after_the_other() -> None:
    world = AdmissionWorld()
    for number in (1, 2):
        world.add_replica(number)
    api_key, counts = await world.key(), admitter(world)
    for _ in range(3):
        await counts.admit(CountRequest(api_key, "tiny-eu", 1, Identity(0, 0)))
    assert [claims.replica for claims in world.signer.signed if claims.attempt == 1] == [1, 2, 1]
    assert all(claims.request_id.is_set for claims in world.signer.signed)


async def test_who_may_not_ask_a_model_may_not_count_for_it() -> None:
    world = AdmissionWorld()
    world.add_replica()
    assert await refusal_of(world, "nonsense") is Reason.KEY_INVALID
    assert await refusal_of(world, await world.key(models=(2,))) is Reason.MODEL_NOT_FOUND
    assert await refusal_of(world, await world.key(), model="unknown") is Reason.MODEL_NOT_FOUND
    assert await refusal_of(world, await world.key(), model="") is Reason.REQUEST_INVALID
    assert await refusal_of(world, await world.key(expires_at_seconds=1)) is Reason.KEY_EXPIRED


async def test_a_key_of_other_endpoints_counts_nothing() -> None:
    world = AdmissionWorld()
    world.add_replica()
    api_key = await world.key()
    for number in world.keys.keys:
        await world.keys.change_key(number, KeyChange(endpoints={Endpoint.CHAT_COMPLETIONS}))
    assert await refusal_of(world, api_key) is Reason.ENDPOINT_NOT_ALLOWED
    assert world.signer.signed == []


async def test_a_count_that_is_refused_abroad_says_by_which_record_it_would_have_been_served() -> None:
    world = world_in(US_EAST, answered_by="us-east", records={("us-east", "eu-fr"): 7})
    with pytest.raises(ComptoirError) as refusal:
        await count(world, await world.key())
    assert refusal.value.reason is Reason.NO_REPLICA
    assert (refusal.value.transfer_record, refusal.value.home_region) == (7, 1)
    with pytest.raises(ComptoirError) as unknown:
        await count(world, await world.key(expires_at_seconds=1))
    assert unknown.value.reason is Reason.KEY_EXPIRED
    assert (unknown.value.transfer_record, unknown.value.home_region) == (0, 0)
