"""A replica is registered while its stream lives, and its settlements close leases."""

from typing import Any

import pytest
from comptoir.router.v1 import admin_pb2, replica_pb2

from services.kernel.errors import Reason
from services.router.settings import RouterSettings
from tests.fakes.running_router import (
    ReportStream,
    RunningRouter,
    acceptance,
    admit,
    admitted_soon,
    offered,
    refused,
    registration_message,
    running_router,
    settlement,
)


async def test_a_settled_lease_frees_its_place_and_is_confirmed(running: RunningRouter) -> None:
    api_key = await running.key(quota=admin_pb2.Quota(concurrency=1, tokens_per_minute=1_000))
    async with running.replica() as replica:
        first = await running.router.Admit(admit(api_key))
        assert first.quota.remaining_tokens == 850
        closed = await replica.say(settlements=[settlement(first, tokens=20)])
        assert [(lease.high, lease.low) for lease in closed] == [(first.lease_id_high, first.lease_id_low)]
        second = await running.router.Admit(admit(api_key))
        assert second.quota.remaining_tokens == 1_000 - 2 * 20 - 150


async def test_a_settlement_said_again_or_never_lent_is_confirmed_and_charges_nothing(
    running: RunningRouter,
) -> None:
    api_key = await running.key(quota=admin_pb2.Quota(tokens_per_minute=1_000))
    unknown = replica_pb2.Settlement(lease_id_high=9, lease_id_low=9, input_tokens=5_000)
    async with running.replica() as replica:
        first = await running.router.Admit(admit(api_key))
        for _ in range(2):
            assert len(await replica.say(settlements=[settlement(first), unknown])) == 2
        assert (await running.router.Admit(admit(api_key))).quota.remaining_tokens == 1_000 - 40 - 150


async def test_a_replica_is_gone_when_its_stream_ends(running: RunningRouter) -> None:
    api_key = await running.key()
    async with running.replica(), running.replica(replica=8, address="127.0.0.1:9") as other:
        assert len(await offered(running, api_key)) == 2
        other.cancel()
        while len(addresses := await offered(running, api_key)) == 2:
            pass
        assert addresses == ["127.0.0.1:8402"]


async def test_a_silent_replica_gets_no_requests_until_it_reports_again(running: RunningRouter) -> None:
    api_key = await running.key()
    async with running.replica() as replica:
        running.clock.advance(5.1)
        assert (await refused(running.router.Admit(admit(api_key)))).reason is Reason.NO_REPLICA
        await replica.say(load=replica_pb2.Load())
        await running.router.Admit(admit(api_key))


async def test_a_draining_replica_gets_no_requests(running: RunningRouter) -> None:
    api_key = await running.key()
    async with running.replica() as replica:
        await replica.say(load=replica_pb2.Load(is_draining=True))
        assert (await refused(running.router.Admit(admit(api_key)))).reason is Reason.NO_REPLICA


async def test_a_replica_takes_as_many_requests_as_it_said(running: RunningRouter) -> None:
    api_key = await running.key()
    async with running.replica(max_requests=1) as replica:
        first = await running.router.Admit(admit(api_key))
        assert (await refused(running.router.Admit(admit(api_key)))).reason is Reason.REPLICA_OVERLOADED
        await replica.say(settlements=[settlement(first)])
        await running.router.Admit(admit(api_key))


async def test_a_replica_that_comes_back_replaces_its_old_stream(running: RunningRouter) -> None:
    api_key = await running.key()
    ours = {"incarnation": 5}
    async with running.replica(max_requests=1, **ours) as old, running.replica(max_requests=2, **ours):
        error = await refused(old.say(load=replica_pb2.Load(is_draining=True)))
        assert error.reason is Reason.UNAVAILABLE
        for _ in range(2):
            await running.router.Admit(admit(api_key))


@pytest.mark.parametrize(
    "fields", [{}, {"incarnation": 6}, {"replica": 8}], ids=["unknown", "other", "address"]
)
async def test_nobody_takes_the_place_of_a_replica_that_lives(
    running: RunningRouter, fields: dict[str, int], capsys: pytest.CaptureFixture[str]
) -> None:
    api_key = await running.key()
    async with running.replica(incarnation=5) as replica:
        running.clock.advance(9)
        await replica.say(load=replica_pb2.Load())
        thief = ReportStream(running.replicas.Report())
        error = await refused(thief.say(registration=registration_message(**fields)))
        assert error.reason is Reason.ALREADY_EXISTS
        assert error.field == ("registration.address" if "replica" in fields else "registration.replica")
        assert error.retry_after_seconds == 10
        await replica.say(load=replica_pb2.Load())
        assert len(await offered(running, api_key)) == 1
    assert "registration_refused" in capsys.readouterr().out


async def test_a_replica_that_fell_silent_is_replaced_and_told_so_when_it_speaks(
    running: RunningRouter,
) -> None:
    api_key = await running.key()
    async with running.replica(incarnation=5) as silent:
        running.clock.advance(10.1)
        async with running.replica(incarnation=6):
            assert (await refused(silent.say(load=replica_pb2.Load()))).reason is Reason.UNAVAILABLE
            assert len(await offered(running, api_key)) == 1


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"model": 9}, "registration.model"),
        ({"region": 9}, "registration.region"),
        ({"replica": 0}, "registration.replica"),
    ],
)
async def test_a_replica_that_does_not_fit_in_is_refused(
    running: RunningRouter, fields: dict[str, Any], field: str
) -> None:
    async with running.replica():
        stream = ReportStream(running.replicas.Report())
        error = await refused(stream.say(registration=registration_message(**fields)))
    assert (error.reason, error.field) == (Reason.REQUEST_INVALID, field)


async def test_a_stream_that_does_not_register_is_refused(running: RunningRouter) -> None:
    error = await refused(ReportStream(running.replicas.Report()).say(load=replica_pb2.Load()))
    assert (error.reason, error.field) == (Reason.REQUEST_INVALID, "registration")


async def test_a_router_that_stops_tells_its_replicas_to_come_back(running: RunningRouter) -> None:
    async with running.replica() as replica:
        running.stop.set()
        assert (await replica.ended()).reason is Reason.UNAVAILABLE


async def test_an_accepted_ticket_is_confirmed_each_time_it_is_told(running: RunningRouter) -> None:
    api_key = await running.key()
    async with running.replica() as replica:
        admitted = await running.router.Admit(admit(api_key))
        for _ in range(2):
            (confirmed,) = (await replica.report(acceptances=[acceptance(admitted)])).accepted
            assert (confirmed.high, confirmed.low) == (admitted.lease_id_high, admitted.lease_id_low)


async def test_a_report_that_lets_its_answer_wait_is_confirmed_with_a_later_one(
    running: RunningRouter,
) -> None:
    api_key = await running.key(quota=admin_pb2.Quota(concurrency=2))
    async with running.replica() as replica:
        first = await running.router.Admit(admit(api_key))
        second = await running.router.Admit(admit(api_key))
        await replica.tell(acceptances=[acceptance(second)], settlements=[settlement(first)])
        assert (await admitted_soon(running, api_key)).HasField("offer")
        answer = await replica.report(settlements=[settlement(second)])
        closed = [lease.low for lease in answer.closed]
        assert closed == [first.lease_id_low, second.lease_id_low]
        assert [lease.low for lease in answer.accepted] == [second.lease_id_low]
        assert await replica.say(load=replica_pb2.Load()) == []


async def test_a_replica_that_lets_every_answer_wait_gets_one_before_it_is_too_long(
    running: RunningRouter,
) -> None:
    async with running.replica() as replica:
        for number in range(4):
            unknown = [
                replica_pb2.Settlement(lease_id_high=9, lease_id_low=number * 250 + n) for n in range(250)
            ]
            await replica.tell(settlements=unknown)
        assert len((await replica.answer()).closed) == 1000


async def test_a_replica_that_restarts_frees_what_its_dead_process_held(running: RunningRouter) -> None:
    api_key = await running.key(quota=admin_pb2.Quota(concurrency=1, tokens_per_minute=1_000))
    async with running.replica(incarnation=5) as dead:
        held = await running.router.Admit(admit(api_key))
        await dead.say(acceptances=[acceptance(held)])
        dead.cancel()
        async with running.replica(incarnation=6) as replica:
            second = await running.router.Admit(admit(api_key))
            assert second.quota.remaining_tokens == 1_000 - 2 * 150
            await replica.say(settlements=[settlement(held, tokens=20), settlement(second, tokens=20)])
            third = await running.router.Admit(admit(api_key))
            assert third.quota.remaining_tokens == 1_000 - 2 * 40 - 150


async def test_a_replica_whose_stream_broke_keeps_what_it_holds(running: RunningRouter) -> None:
    api_key = await running.key(quota=admin_pb2.Quota(concurrency=1))
    async with running.replica(incarnation=5) as broken:
        admitted = await running.router.Admit(admit(api_key))
        await broken.say(acceptances=[acceptance(admitted)])
        broken.cancel()
        async with running.replica(incarnation=5):
            error = await refused(running.router.Admit(admit(api_key)))
    assert error.reason is Reason.CONCURRENCY_EXHAUSTED


async def test_a_replica_that_does_not_come_back_frees_what_it_held_seconds_later(
    running: RunningRouter,
) -> None:
    api_key, anybody = await running.key(quota=admin_pb2.Quota(concurrency=1)), await running.key()
    async with (
        running.replica(incarnation=5) as dead,
        running.replica(replica=8, address="127.0.0.1:9") as other,
    ):
        admitted = await running.router.Admit(admit(api_key))
        await dead.say(acceptances=[acceptance(admitted)])
        dead.cancel()
        while len(await offered(running, anybody)) == 2:
            # Until the router has noticed.
            pass
        running.clock.advance(5.0)
        await other.say(load=replica_pb2.Load())
        assert (await admitted_soon(running, api_key)).HasField("offer")


async def test_256_admissions_that_nobody_uses_keep_others_out_for_seconds_only(
    running: RunningRouter,
) -> None:
    abuser, other = await running.key(), await running.key(tenant="other")
    async with running.replica(max_requests=256) as replica:
        for _ in range(256):
            await running.router.Admit(admit(abuser))
        assert (await refused(running.router.Admit(admit(other)))).reason is Reason.REPLICA_OVERLOADED
        running.clock.advance(2.0)
        await replica.say(load=replica_pb2.Load())
        assert (await admitted_soon(running, other)).HasField("offer")
        assert (await refused(running.router.Admit(admit(abuser)))).reason is Reason.CONCURRENCY_EXHAUSTED
        running.clock.advance(10.0)
        await replica.say(load=replica_pb2.Load())
        assert (await admitted_soon(running, abuser)).HasField("offer")


async def test_a_router_that_restarted_counts_what_runs_as_soon_as_it_is_told(
    router_settings: RouterSettings,
) -> None:
    async with running_router(router_settings) as running:
        api_key = await running.key(quota=admin_pb2.Quota(concurrency=1, tokens_per_minute=1_000))
        async with running.replica(incarnation=5) as replica:
            admitted = await running.router.Admit(admit(api_key))
            await replica.say(acceptances=[acceptance(admitted)])
    async with running_router(router_settings) as running, running.replica(incarnation=5) as replica:
        await replica.say(acceptances=[acceptance(admitted)])
        error = await refused(running.router.Admit(admit(api_key)))
        assert error.reason is Reason.CONCURRENCY_EXHAUSTED
        await replica.say(settlements=[settlement(admitted, tokens=100)])
        again = await running.router.Admit(admit(api_key))
        assert again.quota.remaining_tokens == 1_000 - 200 - 150


async def test_a_replica_of_an_older_version_settles_by_lease(running: RunningRouter) -> None:
    api_key = await running.key(quota=admin_pb2.Quota(concurrency=1, tokens_per_minute=1_000))
    async with running.replica() as replica:
        first = await running.router.Admit(admit(api_key))
        old = replica_pb2.Settlement(
            lease_id_high=first.lease_id_high, lease_id_low=first.lease_id_low, input_tokens=20
        )
        assert len(await replica.say(settlements=[old])) == 1
        assert (await running.router.Admit(admit(api_key))).quota.remaining_tokens == 1_000 - 20 - 150


async def test_a_replica_with_a_wrong_clock_gets_no_requests_until_its_clock_is_right(
    running: RunningRouter, capsys: pytest.CaptureFixture[str]
) -> None:
    api_key = await running.key()

    async def says(stream: ReportStream, offset_seconds: int) -> None:
        sent_at = running.clock.wall_microseconds() + offset_seconds * 1_000_000
        await stream.say(load=replica_pb2.Load(), sent_at_microseconds=sent_at)

    async with running.replica() as wrong, running.replica(replica=8, address="127.0.0.1:9") as right:
        await says(right, -4)
        for _ in range(3):
            await says(wrong, -10)
        assert await offered(running, api_key) == ["127.0.0.1:9"]
        await says(wrong, 0)
        assert len(await offered(running, api_key)) == 2
    said = capsys.readouterr().out
    assert said.count("replica_clock_wrong") == said.count("replica_clock_right") == 1
    assert "offset_seconds=-10.0" in said
    assert "replica=7" in said
