"""One decision: its order, its tickets, its event, and that a refusal leaves nothing behind."""

import asyncio
from dataclasses import replace

import pytest

from services.kernel.errors import ComptoirError, Numbers, Reason
from services.kernel.identity import Identity
from services.router.domain.tenancy import Priority, Quota
from tests.fakes.router import AdmissionWorld, MemoryLog, refusal_of, request_for

ONE_AT_A_TIME = Quota(requests_per_minute=100, tokens_per_minute=200, concurrency=1)


async def test_an_admitted_request_gets_a_ticket_for_what_it_asked() -> None:
    world = AdmissionWorld()
    api_key = await world.key()
    for number in (1, 2, 3, 4):
        world.add_replica(number)
    admission = await world.admitter.admit(request_for(api_key, priority=Priority.BATCH))
    (claims,) = world.signer.signed
    assert claims.request_id == admission.grant.request_id
    assert claims.lease_id == admission.grant.lease_id
    assert (claims.tenant, claims.key, claims.model) == (1, 2, 1)
    assert (claims.region, claims.home_region, claims.transfer_record) == (1, 1, 0)
    assert (claims.max_input_tokens, claims.max_output_tokens, claims.priority) == (100, 50, 20)
    assert claims.predicted_kv_blocks == 5
    assert claims.expires_at_microseconds - claims.issued_at_microseconds == 30_000_000
    assert admission.offer.generator_address == f"127.0.0.1:{9000 + claims.replica}"


async def test_the_event_of_an_admission_counts_what_was_granted() -> None:
    world = AdmissionWorld()
    api_key = await world.key()
    world.add_replica()
    request = replace(request_for(api_key), request_id=Identity(5, 6))
    admission = await world.admitter.admit(request)
    (event,) = world.log.events
    assert (event.request_id, event.reason) == (Identity(5, 6), Reason.UNSPECIFIED)
    assert (event.tenant, event.key, event.model, event.replica, event.tickets) == (1, 2, 1, 7, 1)
    assert (event.region, event.home_region, event.config_digest) == (1, 1, 99)
    assert (event.reserved_tokens, event.max_output_tokens, event.predicted_kv_blocks) == (150, 50, 5)
    assert event.started_at_microseconds == world.clock.wall_microseconds()
    assert admission.grant.request_id == Identity(5, 6)


async def test_a_request_without_an_identity_gets_one() -> None:
    world = AdmissionWorld()
    world.add_replica()
    admission = await world.admitter.admit(request_for(await world.key()))
    assert admission.grant.request_id.is_set


async def test_what_is_wrong_is_found_in_the_order_of_the_design() -> None:
    """Every request below has all later faults too; each fault that is mended shows the next one."""
    world = AdmissionWorld()
    good = await world.key(quota=ONE_AT_A_TIME, models=(1,))
    elsewhere = await world.key(region="eu-de", expires_at_seconds=2)
    expired = await world.key(expires_at_seconds=2)
    disabled = await world.key(tenant="disabled")
    world.disable(disabled)
    all_wrong = {"model": "absent", "prompt_tokens_upper_bound": 10**7, "max_output_tokens": 500}
    size_wrong = {**all_wrong, "model": "tiny-eu"}
    found = [
        (await refusal_of(world, request_for("nonsense", **all_wrong))).reason,  # type: ignore[arg-type]
        (await refusal_of(world, request_for(elsewhere, **all_wrong))).reason,  # type: ignore[arg-type]
        (await refusal_of(world, request_for(expired, **all_wrong))).reason,  # type: ignore[arg-type]
        (await refusal_of(world, request_for(disabled, **all_wrong))).reason,  # type: ignore[arg-type]
        (await refusal_of(world, request_for(good, **all_wrong))).reason,  # type: ignore[arg-type]
        (await refusal_of(world, request_for(good, **size_wrong))).reason,  # type: ignore[arg-type]
    ]
    session = world.add_replica(kv_blocks=2)
    found.append((await refusal_of(world, request_for(good, max_output_tokens=500))).reason)
    world.replicas.leave(session, world.clock.monotonic_seconds())
    found.append((await refusal_of(world, request_for(good, max_output_tokens=500))).reason)
    found.append((await refusal_of(world, request_for(good))).reason)
    assert found == [
        Reason.KEY_INVALID,
        Reason.WRONG_REGION,
        Reason.KEY_EXPIRED,
        Reason.TENANT_DISABLED,
        Reason.MODEL_NOT_FOUND,
        Reason.CONTEXT_TOO_LONG,
        Reason.CONTEXT_TOO_LONG,
        Reason.QUOTA_TOO_SMALL,
        Reason.NO_REPLICA,
    ]
    assert world.log.reasons == found


async def test_more_than_a_minutes_tokens_is_no_reason_to_wait() -> None:
    world = AdmissionWorld()
    world.add_replica()
    api_key = await world.key(quota=ONE_AT_A_TIME)
    refusal = await refusal_of(world, request_for(api_key, max_output_tokens=101))
    assert (refusal.reason, refusal.retry_after_seconds) == (Reason.QUOTA_TOO_SMALL, 0)
    assert refusal.numbers == Numbers(
        limit=200, requested=201, available=100, limited_by=Reason.TOKENS_EXHAUSTED
    )
    assert world.in_flight() == 0
    await world.admitter.admit(request_for(api_key, max_output_tokens=refusal.numbers.available))


async def test_a_spent_quota_is_told_with_what_is_left_of_it() -> None:
    world = AdmissionWorld()
    world.add_replica()
    api_key = await world.key(quota=ONE_AT_A_TIME)
    await world.admitter.admit(request_for(api_key))
    refusal = await refusal_of(world, request_for(api_key))
    assert refusal.reason is Reason.TOKENS_EXHAUSTED
    assert refusal.numbers == Numbers(limit=200, requested=150, available=50)
    assert refusal.quota is not None
    assert (refusal.quota.limit_requests, refusal.quota.remaining_requests) == (100, 99)
    assert (refusal.quota.limit_tokens, refusal.quota.remaining_tokens) == (200, 50)


async def test_a_key_of_another_region_is_not_served_here() -> None:
    world = AdmissionWorld()
    world.add_replica()
    refusal = await refusal_of(world, request_for(await world.key(region="eu-de")))
    assert refusal.reason is Reason.WRONG_REGION


async def test_a_revoked_key_looks_like_an_unknown_one() -> None:
    world = AdmissionWorld()
    world.add_replica()
    api_key = await world.key()
    await world.keys.revoke_key(2, 10)
    assert (await refusal_of(world, request_for(api_key))).reason is Reason.KEY_INVALID


async def test_a_model_that_the_key_may_not_use_looks_like_an_unknown_one() -> None:
    world = AdmissionWorld()
    world.add_replica()
    api_key = await world.key(models=(2,))
    forbidden = await refusal_of(world, request_for(api_key))
    unknown = await refusal_of(world, request_for(api_key, model="absent"))
    assert (forbidden.reason, forbidden.field) == (unknown.reason, unknown.field)
    assert unknown.reason is Reason.MODEL_NOT_FOUND
    assert [event.model for event in world.log.events] == [1, 0]


async def test_the_event_of_an_unknown_key_names_no_tenant() -> None:
    world = AdmissionWorld()
    await refusal_of(world, request_for("nonsense"))
    (event,) = world.log.events
    assert (event.tenant, event.key, event.home_region, event.model) == (0, 0, 0, 0)
    assert (event.tickets, event.reserved_tokens, event.replica) == (0, 0, 0)


async def test_a_request_without_a_replica_leaves_its_quota_whole() -> None:
    world = AdmissionWorld()
    api_key = await world.key(quota=Quota(requests_per_minute=1, tokens_per_minute=150, concurrency=1))
    await refusal_of(world, request_for(api_key))
    world.add_replica()
    admission = await world.admitter.admit(request_for(api_key))
    assert (admission.quota.remaining_requests, admission.quota.remaining_tokens) == (0, 0)


async def test_an_admission_that_is_not_durable_leaves_no_ticket_and_no_lease() -> None:
    world = AdmissionWorld(log=MemoryLog(failure=ComptoirError(Reason.USAGE_NOT_RECORDED)))
    api_key = await world.key(quota=Quota(requests_per_minute=1, tokens_per_minute=150, concurrency=1))
    world.add_replica()
    assert (await refusal_of(world, request_for(api_key))).reason is Reason.USAGE_NOT_RECORDED
    assert world.in_flight() == 0
    world.log.failure = None
    await world.admitter.admit(request_for(api_key))


async def test_a_refusal_wins_over_an_emitter_that_is_down() -> None:
    world = AdmissionWorld(log=MemoryLog(failure=ComptoirError(Reason.USAGE_NOT_RECORDED)))
    assert (await refusal_of(world, request_for("nonsense"))).reason is Reason.KEY_INVALID


async def test_a_caller_who_leaves_while_the_event_is_written_leaves_no_lease() -> None:
    world = AdmissionWorld(log=MemoryLog(failure=asyncio.CancelledError()))
    api_key = await world.key(quota=ONE_AT_A_TIME)
    world.add_replica()
    with pytest.raises(asyncio.CancelledError):
        await world.admitter.admit(request_for(api_key))
    assert world.in_flight() == 0
    world.log.failure = None
    await world.admitter.admit(request_for(api_key))


async def test_a_signer_that_fails_leaves_no_lease() -> None:
    world = AdmissionWorld()
    world.signer.failure = RuntimeError()
    api_key = await world.key(quota=ONE_AT_A_TIME)
    world.add_replica()
    with pytest.raises(RuntimeError):
        await world.admitter.admit(request_for(api_key))
    assert world.in_flight() == 0
    world.signer.failure = None
    await world.admitter.admit(request_for(api_key))


async def test_racing_requests_never_overfill_a_replica() -> None:
    world = AdmissionWorld()
    api_key = await world.key()
    world.add_replica(max_requests=4)
    admitter = world.admitter
    results = await asyncio.gather(
        *(admitter.admit(request_for(api_key)) for _ in range(10)), return_exceptions=True
    )
    reasons = [result.reason for result in results if isinstance(result, ComptoirError)]
    assert reasons == [Reason.REPLICA_OVERLOADED] * 6
    assert world.in_flight() == 4


async def test_the_models_of_a_key_are_listed_by_name() -> None:
    world = AdmissionWorld()
    every, one = await world.key(), await world.key(models=(1,))
    assert [model.name for model in await world.admitter.models_of(every)] == ["other-eu", "tiny-eu"]
    assert [model.name for model in await world.admitter.models_of(one)] == ["tiny-eu"]
    with pytest.raises(ComptoirError) as refusal:
        await world.admitter.models_of("nonsense")
    assert refusal.value.reason is Reason.KEY_INVALID
    assert not world.log.events


async def test_nothing_that_a_caller_wrote_shows_in_a_representation() -> None:
    world = AdmissionWorld()
    api_key = await world.key()
    world.add_replica()
    request = request_for(api_key)
    shown = repr(request) + repr(await world.admitter.admit(request)) + repr(world.log.events)
    assert api_key not in shown
    assert repr(world.keys.keys[2].digest) not in shown


@pytest.mark.parametrize("claimed", Priority)
@pytest.mark.parametrize("best", Priority)
async def test_a_better_class_than_the_key_may_claim_is_lowered_and_not_refused(
    claimed: Priority, best: Priority
) -> None:
    world = AdmissionWorld()
    world.add_replica()
    await world.admitter.admit(request_for(await world.key(best_priority=best), priority=claimed))
    (event,), (claims,) = world.log.events, world.signer.signed
    assert claims.priority == event.priority == max(claimed, best)


async def test_a_refused_request_is_counted_in_the_class_that_its_key_may_claim() -> None:
    world = AdmissionWorld()
    api_key = await world.key()
    await refusal_of(world, request_for(api_key, priority=Priority.INTERACTIVE))
    assert [event.priority for event in world.log.events] == [Priority.DEFAULT]
