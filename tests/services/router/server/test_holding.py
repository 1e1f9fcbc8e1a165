"""Requests wait over gRPC for a replica that is about to be ready, and for no longer than their callers."""

import asyncio
import json
from typing import Any

import grpc
import pytest
from comptoir.router.v1 import admin_pb2, replica_pb2, router_pb2
from opentelemetry import metrics
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from services.kernel.errors import Reason
from services.router.settings import RouterSettings
from tests.contracts.engine_requests import until
from tests.fakes.running_router import (
    WAIT_SECONDS,
    ReportStream,
    RunningRouter,
    acceptance,
    admit,
    admitted_soon,
    claims,
    next_offer,
    refused,
    registration_message,
    running_router,
)


@pytest.fixture
def router_settings(router_settings: RouterSettings) -> RouterSettings:
    """A router that holds requests."""
    return router_settings.model_copy(update={"hold_seconds": 30.0})


async def held(running: RunningRouter, api_key: str, **fields: Any) -> Any:
    """A call that the router holds."""
    call = running.router.Admit(admit(api_key, **fields), timeout=WAIT_SECONDS)
    _, pending = await asyncio.wait({asyncio.ensure_future(_code(call))}, timeout=0.2)
    assert pending, "it is not held"
    return call


async def _code(call: Any) -> None:
    await call.code()


async def test_a_request_waits_for_a_replica_that_starts(running: RunningRouter) -> None:
    api_key = await running.key()
    stream = ReportStream(running.replicas.Report())
    await stream.say(registration=registration_message())
    call = await held(running, api_key)
    await stream.say(load=replica_pb2.Load())
    assert (await call).HasField("offer")
    stream.cancel()


async def test_a_request_waits_for_a_replica_whose_report_is_late(running: RunningRouter) -> None:
    api_key = await running.key()
    async with running.replica() as replica:
        running.clock.advance(5.1)
        call = await held(running, api_key)
        await replica.say(load=replica_pb2.Load())
        assert (await call).HasField("offer")


async def test_requests_wait_for_a_replica_that_was_killed_and_go_to_its_next_process(
    running: RunningRouter,
) -> None:
    api_key = await running.key(quota=admin_pb2.Quota(concurrency=1, tokens_per_minute=10_000))
    async with running.replica(incarnation=5) as killed:
        lost = await running.router.Admit(admit(api_key))
        await killed.say(acceptances=[acceptance(lost)])
    anybody = await running.key()
    waiting = [await held(running, anybody) for _ in range(2)]
    # Some seconds later: the engine had to be loaded.
    running.clock.advance(20)
    async with running.replica(incarnation=6):
        answers = [await call for call in waiting]
        # The place of the request that was lost is free, so its caller may begin again.
        again = await admitted_soon(running, api_key)
    assert again.quota.remaining_tokens > 0
    assert len({claims(answer).lease_id_low for answer in (*answers, again)}) == 3
    assert running.log.reasons == [Reason.UNSPECIFIED] * 4


async def test_a_request_that_waits_for_a_full_replica_waits_on_when_that_is_killed(
    router_settings: RouterSettings,
) -> None:
    settings = router_settings.model_copy(update={"place_wait_seconds": 30.0})
    async with running_router(settings) as running:
        api_key = await running.key()
        async with running.replica(incarnation=5, max_requests=1):
            await running.router.Admit(admit(api_key))
            call = await held(running, api_key)
        async with running.replica(incarnation=6):
            assert (await call).HasField("offer")


async def test_a_caller_that_knows_of_its_dead_replica_before_the_router_gets_its_further_ticket(
    router_settings: RouterSettings,
) -> None:
    settings = router_settings.model_copy(update={"further_ticket_wait_seconds": WAIT_SECONDS})
    async with running_router(settings) as running:
        api_key = await running.key(quota=admin_pb2.Quota(concurrency=1, tokens_per_minute=10_000))
        async with running.replica() as killed:
            admitted = await running.router.Admit(admit(api_key))
            await killed.say(acceptances=[acceptance(admitted)])
            other = ReportStream(running.replicas.Report())
            fields = registration_message(replica=8, address="127.0.0.1:9")
            await other.say(registration=fields, load=replica_pb2.Load())
            call = running.router.NextOffer(next_offer(api_key, admitted), timeout=WAIT_SECONDS)
            _, pending = await asyncio.wait({asyncio.ensure_future(_code(call))}, timeout=0.2)
            assert pending, "it is not awaited"
        assert (await call).offer.generator_address == "127.0.0.1:9"
        other.cancel()


async def test_callers_that_wait_no_longer_leave_nothing_behind(
    router_settings: RouterSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = InMemoryMetricReader()
    monkeypatch.setattr(metrics, "get_meter", MeterProvider(metric_readers=[reader]).get_meter)
    quota = admin_pb2.Quota(requests_per_minute=1, tokens_per_minute=150, concurrency=1)
    async with running_router(router_settings) as running:
        impatient, cancelled = await running.key(quota=quota), await running.key(quota=quota)
        stream = ReportStream(running.replicas.Report())
        await stream.say(registration=registration_message())
        call = running.router.Admit(admit(cancelled))
        await _holds(reader, 1)
        call.cancel()
        await _holds(reader, 0)
        call = running.router.Admit(admit(impatient), timeout=1.0)
        await _holds(reader, 1)
        assert await call.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        await _holds(reader, 0)
        await stream.say(load=replica_pb2.Load())
        for api_key in (impatient, cancelled):
            # The clock stands: what they had reserved has not come back with time.
            admitted = await admitted_soon(running, api_key)
            assert (admitted.quota.remaining_requests, admitted.quota.remaining_tokens) == (0, 0)
        assert running.log.reasons == [Reason.UNSPECIFIED] * 2
        stream.cancel()


async def _holds(reader: InMemoryMetricReader, count: int) -> None:
    """Wait until the router holds so many requests: it hears of callers that go away in its own time."""
    await until(lambda: _held_requests(reader) == count, WAIT_SECONDS)


def _held_requests(reader: InMemoryMetricReader) -> int:
    collected = reader.get_metrics_data()
    assert collected is not None
    (resource,) = json.loads(collected.to_json())["resource_metrics"]
    (held_now,) = [
        metric["data"]["data_points"][0]["value"]
        for metric in resource["scope_metrics"][0]["metrics"]
        if metric["name"] == "comptoir.router.held_requests"
    ]
    return int(held_now)


async def test_a_model_that_nobody_serves_is_refused_at_once(running: RunningRouter) -> None:
    running.clock.advance(6)
    api_key = await running.key()
    error = await asyncio.wait_for(refused(running.router.Admit(admit(api_key))), WAIT_SECONDS)
    assert (error.reason, error.retry_after_seconds) == (Reason.NO_REPLICA, 1)


async def test_a_hold_ends_with_when_to_try_again(router_settings: RouterSettings) -> None:
    settings = router_settings.model_copy(update={"hold_seconds": 0.2})
    async with running_router(settings) as running:
        api_key = await running.key()
        error = await asyncio.wait_for(refused(running.router.Admit(admit(api_key))), WAIT_SECONDS)
    assert (error.reason, error.retry_after_seconds) == (Reason.NO_REPLICA, 1)


async def test_more_requests_than_may_be_held_are_refused_at_once(router_settings: RouterSettings) -> None:
    async with running_router(router_settings.model_copy(update={"held_requests": 2})) as running:
        keys = [await running.key(tenant) for tenant in ("acme", "other", "third")]
        calls = [await held(running, api_key) for api_key in keys[:2]]
        error = await asyncio.wait_for(refused(running.router.Admit(admit(keys[2]))), WAIT_SECONDS)
        assert (error.reason, error.retry_after_seconds) == (Reason.NO_REPLICA, 1)
        async with running.replica():
            assert all([(await call).HasField("offer") for call in calls])


async def test_a_router_that_stops_sends_what_it_holds_elsewhere(running: RunningRouter) -> None:
    call = await held(running, await running.key())
    running.stop.set()
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await call
    assert failure.value.details() == "UNAVAILABLE"
    await asyncio.wait_for(running.serving, WAIT_SECONDS)


async def test_the_class_decides_who_is_placed_first(running: RunningRouter) -> None:
    api_key = await running.key(best_priority=router_pb2.PRIORITY_INTERACTIVE)
    batch = await held(running, api_key, priority=router_pb2.PRIORITY_BATCH)
    interactive = await held(running, api_key, priority=router_pb2.PRIORITY_INTERACTIVE)
    async with running.replica(max_requests=1) as replica:
        assert (await interactive).HasField("offer")
        assert not batch.done()
        running.clock.advance(2.0)
        await replica.say(load=replica_pb2.Load())
        assert (await batch).HasField("offer")
