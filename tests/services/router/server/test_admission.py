"""RouterService over real gRPC, with a replica that registers as a generator does."""

import asyncio

import pytest
from comptoir.router.v1 import admin_pb2, replica_pb2, router_pb2
from comptoir.ticket.v1 import ticket_pb2
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from services.contract.ticket import signed_content
from services.kernel.errors import ComptoirError, Reason
from services.router.settings import RouterSettings
from services.runtime.settings import read_secret
from tests.fakes.running_router import (
    RunningRouter,
    acceptance,
    admit,
    admitted_soon,
    claims,
    next_offer,
    refused,
    release,
    running_router,
    settlement,
)


async def test_an_admitted_request_gets_a_ticket_that_the_public_key_verifies(running: RunningRouter) -> None:
    api_key = await running.key()
    async with running.replica():
        response = await running.router.Admit(admit(api_key))
    offer = response.offer
    assert offer.generator_address == "127.0.0.1:8402"
    seed = read_secret(running.settings.signing_key_file, length_bytes=32)
    public_key = Ed25519PrivateKey.from_private_bytes(seed).public_key()
    public_key.verify(offer.ticket.signature, signed_content(offer.ticket.claims))
    claims = ticket_pb2.TicketClaims.FromString(offer.ticket.claims)
    assert (claims.model, claims.region, claims.replica, claims.attempt) == (1, 1, 7, 1)
    assert (claims.max_input_tokens, claims.max_output_tokens, claims.priority) == (100, 50, 10)
    assert claims.predicted_kv_blocks == 5
    assert (claims.request_id_low, claims.lease_id_low) == (response.request_id_low, response.lease_id_low)
    assert response.max_output_tokens == 50
    assert (response.model_number, response.tenant_number, response.key_number) == (1, 1, 1)
    assert response.home_region == 1
    assert [event.reason for event in running.log.events] == [Reason.UNSPECIFIED]


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"model": "absent"}, Reason.MODEL_NOT_FOUND),
        ({"prompt_tokens_upper_bound": 100_000}, Reason.CONTEXT_TOO_LONG),
        ({"max_output_tokens": 2**32 - 1}, Reason.NO_REPLICA),
        ({}, Reason.NO_REPLICA),
    ],
)
async def test_a_refusal_has_a_reason_and_is_recorded(
    running: RunningRouter, fields: dict[str, object], reason: Reason
) -> None:
    api_key = await running.key()
    assert (await refused(running.router.Admit(admit(api_key, **fields)))).reason is reason
    assert running.log.reasons == [reason]


async def test_a_request_that_breaks_the_schema_is_refused_and_not_recorded(running: RunningRouter) -> None:
    error = await refused(running.router.Admit(admit("k", prompt_tokens_upper_bound=0)))
    assert (error.reason, error.field) == (Reason.REQUEST_INVALID, "prompt_tokens_upper_bound")
    assert not running.log.events


async def test_a_spent_quota_says_when_to_come_back(running: RunningRouter) -> None:
    api_key = await running.key(quota=admin_pb2.Quota(requests_per_minute=1))
    async with running.replica() as replica:
        response = await running.router.Admit(admit(api_key))
        assert (response.quota.limit_requests, response.quota.remaining_requests) == (1, 0)
        assert response.quota.reset_requests_milliseconds == 60_000
        error = await refused(running.router.Admit(admit(api_key)))
        assert (error.reason, error.retry_after_seconds) == (Reason.REQUESTS_EXHAUSTED, 60)
        running.clock.advance(60)
        await replica.say(load=replica_pb2.Load())
        await running.router.Admit(admit(api_key))


async def test_a_released_lease_frees_its_place_once_its_replica_has_not_accepted_its_ticket(
    running: RunningRouter,
) -> None:
    api_key = await running.key(quota=admin_pb2.Quota(concurrency=1))
    async with running.replica() as replica:
        first = await running.router.Admit(admit(api_key))
        assert (await running.router.Release(release(first))).is_released
        await replica.tell(load=replica_pb2.Load())
        (called,) = (await replica.answer()).called_back
        assert (called.high, called.low) == (first.lease_id_high, first.lease_id_low)
        unserved = replica_pb2.Settlement(
            lease_id_high=called.high, lease_id_low=called.low, is_unserved=True
        )
        assert len(await replica.say(settlements=[unserved])) == 1
        await running.router.Admit(admit(api_key))


async def test_a_released_lease_frees_its_place_once_its_ticket_is_dead(running: RunningRouter) -> None:
    api_key = await running.key(quota=admin_pb2.Quota(concurrency=1))
    async with running.replica() as replica:
        first = await running.router.Admit(admit(api_key))
        assert (await running.router.Release(release(first))).is_released
        assert not (await running.router.Release(release(first))).is_released
        assert (await refused(running.router.Admit(admit(api_key)))).reason is Reason.CONCURRENCY_EXHAUSTED
        # A caller that uses the ticket after all finds its place reserved, and cannot release it any more.
        await replica.say(acceptances=[acceptance(first)])
        assert not (await running.router.Release(release(first))).is_released
        await replica.say(settlements=[settlement(first)])
        second = await running.router.Admit(admit(api_key))
        assert (await running.router.Release(release(second))).is_released
        running.clock.advance(12)
        await replica.say(load=replica_pb2.Load())
        await admitted_soon(running, api_key)


async def test_a_request_waits_a_moment_for_the_place_that_is_about_to_be_free(
    router_settings: RouterSettings,
) -> None:
    settings = router_settings.model_copy(update={"place_wait_seconds": 5.0})
    async with running_router(settings) as running, running.replica() as replica:
        api_key = await running.key(quota=admin_pb2.Quota(concurrency=1))
        admitted = await running.router.Admit(admit(api_key))
        for _ in range(20):
            following = asyncio.ensure_future(running.router.Admit(admit(api_key)))
            await replica.say(settlements=[settlement(admitted)])
            admitted = await asyncio.wait_for(following, 5)


async def test_a_caller_who_leaves_while_the_decision_is_recorded_leaves_nothing_reserved(
    running: RunningRouter,
) -> None:
    quota = admin_pb2.Quota(requests_per_minute=1, tokens_per_minute=150, concurrency=1)
    api_key = await running.key(quota=quota)
    async with running.replica(max_requests=1):
        running.log.gate = asyncio.Event()
        call = running.router.Admit(admit(api_key))
        await asyncio.wait_for(running.log.is_asked.wait(), 5)
        call.cancel()
        running.log.gate = None
        # The clock stands: it has not come back with time.
        assert (await admitted_soon(running, api_key)).quota.remaining_requests == 0


async def test_another_ticket_is_for_another_replica_and_the_public_key_verifies_it(
    running: RunningRouter,
) -> None:
    api_key = await running.key()
    async with running.replica(), running.replica(replica=8, address="127.0.0.1:9"):
        admitted = await running.router.Admit(admit(api_key))
        another = await running.router.NextOffer(next_offer(api_key, admitted))
        error = await refused(running.router.NextOffer(next_offer(api_key, admitted)))
    first, second = claims(admitted), claims(another)
    assert {first.replica, second.replica} == {7, 8}
    assert (second.lease_id_high, second.lease_id_low) == (admitted.lease_id_high, admitted.lease_id_low)
    seed = read_secret(running.settings.signing_key_file, length_bytes=32)
    public_key = Ed25519PrivateKey.from_private_bytes(seed).public_key()
    ticket = another.offer.ticket
    public_key.verify(ticket.signature, signed_content(ticket.claims))
    assert error.reason is Reason.NO_REPLICA


async def test_a_replica_that_refused_its_ticket_leaves_the_place_to_the_next_one(
    running: RunningRouter,
) -> None:
    api_key = await running.key(quota=admin_pb2.Quota(concurrency=1, tokens_per_minute=1_000))
    async with running.replica() as full:
        admitted = await running.router.Admit(admit(api_key))
        async with running.replica(replica=8, address="127.0.0.1:9") as other:
            # The caller is told first, and the router with the next report.
            another = await running.router.NextOffer(next_offer(api_key, admitted))
            await full.say(settlements=[settlement(admitted, is_unserved=True)])
            await other.say(acceptances=[acceptance(another)])
            await other.say(settlements=[settlement(another)])
            assert (await running.router.Admit(admit(api_key))).quota.remaining_tokens == 1_000 - 40 - 150


async def test_a_router_that_restarted_signs_no_further_ticket(router_settings: RouterSettings) -> None:
    async with running_router(router_settings) as running:
        api_key = await running.key()
        async with running.replica():
            admitted = await running.router.Admit(admit(api_key))
    async with running_router(router_settings) as running, running.replica():
        error = await refused(running.router.NextOffer(next_offer(api_key, admitted)))
    assert error.reason is Reason.LEASE_ENDED


async def test_without_a_durable_record_nobody_is_admitted(running: RunningRouter) -> None:
    api_key = await running.key(quota=admin_pb2.Quota(concurrency=1))
    async with running.replica():
        running.log.failure = ComptoirError(Reason.USAGE_NOT_RECORDED, retry_after_seconds=1)
        error = await refused(running.router.Admit(admit(api_key)))
        assert (error.reason, error.retry_after_seconds) == (Reason.USAGE_NOT_RECORDED, 1)
        assert (await refused(running.router.Admit(admit("junk")))).reason is Reason.KEY_INVALID
        running.log.failure = None
        await running.router.Admit(admit(api_key))


async def test_the_models_of_a_key_are_listed(running: RunningRouter) -> None:
    every, one = await running.key(), await running.key(models=["tiny-eu"])
    listed = await running.router.ListModels(router_pb2.ListModelsRequest(api_key=every))
    assert [(model.name, model.number) for model in listed.models] == [("other-eu", 2), ("tiny-eu", 1)]
    listed = await running.router.ListModels(router_pb2.ListModelsRequest(api_key=one))
    assert [(model.context_tokens, model.max_output_tokens) for model in listed.models] == [(1024, 512)]


@pytest.mark.parametrize(
    ("priority", "number"),
    [
        (router_pb2.PRIORITY_UNSPECIFIED, 10),
        (router_pb2.PRIORITY_INTERACTIVE, 0),
        (router_pb2.PRIORITY_DEFAULT, 10),
        (router_pb2.PRIORITY_BATCH, 20),
    ],
)
async def test_a_priority_is_a_number_for_the_engine(
    running: RunningRouter, priority: router_pb2.Priority, number: int
) -> None:
    api_key = await running.key(best_priority=router_pb2.PRIORITY_INTERACTIVE)
    async with running.replica():
        response = await running.router.Admit(admit(api_key, priority=priority))
    assert ticket_pb2.TicketClaims.FromString(response.offer.ticket.claims).priority == number


async def test_a_count_is_permitted_without_a_lease_or_an_event(running: RunningRouter) -> None:
    api_key = await running.key(quota=admin_pb2.Quota(requests_per_minute=1))
    asked = router_pb2.AdmitCountRequest(
        api_key=api_key, model="tiny-eu", prompt_tokens_upper_bound=50, request_id_low=4
    )
    assert (await refused(running.router.AdmitCount(asked))).reason is Reason.NO_REPLICA
    async with running.replica():
        permitted = await running.router.AdmitCount(asked)
        claims = ticket_pb2.TicketClaims.FromString(permitted.offer.ticket.claims)
        assert (claims.max_input_tokens, claims.max_output_tokens, claims.request_id_low) == (50, 0, 4)
        assert not claims.lease_id_high
        assert not claims.lease_id_low
        assert (permitted.model_name, permitted.model_number, permitted.quota.remaining_requests) == (
            "tiny-eu",
            1,
            0,
        )
        assert permitted.key_number == claims.key
        assert (permitted.tenant_number, permitted.home_region) == (claims.tenant, claims.home_region)
        assert (await refused(running.router.AdmitCount(asked))).reason is Reason.REQUESTS_EXHAUSTED
        asked.prompt_tokens_upper_bound = 0
        assert (await refused(running.router.AdmitCount(asked))).field == "prompt_tokens_upper_bound"
    assert not running.log.events
