"""An operator drains a replica: it gets nothing new, what runs goes on, and a new process serves again."""

import pytest
from comptoir.router.v1 import admin_pb2, replica_pb2
from comptoir.router.v1.admin_pb2 import DrainReplicaRequest, ListReplicasRequest, UndrainReplicaRequest

from services.kernel.errors import Reason
from services.router.domain.placement.replica import State
from tests.fakes.running_router import (
    ReportStream,
    RunningRouter,
    acceptance,
    admit,
    offered,
    refused,
    registration_message,
    settlement,
)

IDLE = replica_pb2.Load()
DRAINING = replica_pb2.Load(is_draining=True)


async def states(running: RunningRouter) -> dict[int, int]:
    listed = await running.admin.ListReplicas(ListReplicasRequest())
    return {replica.number: int(replica.state) for replica in listed.replicas}


async def test_a_drained_replica_gets_nothing_new_and_ends_what_it_has(running: RunningRouter) -> None:
    api_key = await running.key(quota=admin_pb2.Quota(concurrency=1))
    async with running.replica() as replica:
        admitted = await running.router.Admit(admit(api_key))
        drained = (await running.admin.DrainReplica(DrainReplicaRequest(number=7))).replica
        assert (drained.number, int(drained.state)) == (7, State.DRAINING)
        # Its ticket was signed before, so the replica takes it, and the router hears how it ends.
        await replica.say(acceptances=[acceptance(admitted)], load=IDLE)
        assert len(await replica.say(settlements=[settlement(admitted)], load=DRAINING)) == 1
        assert (await refused(running.router.Admit(admit(api_key)))).reason is Reason.NO_REPLICA


async def test_others_serve_meanwhile_and_the_drained_one_again_after_it(running: RunningRouter) -> None:
    api_key = await running.key()
    async with running.replica() as replica, running.replica(replica=8, address="127.0.0.1:9"):
        await running.admin.DrainReplica(DrainReplicaRequest(number=7))
        assert await offered(running, api_key) == ["127.0.0.1:9"]
        assert await states(running) == {7: State.DRAINING, 8: State.READY}
        assert (await replica.report(load=DRAINING)).is_drain_wanted is False
        undrained = (await running.admin.UndrainReplica(UndrainReplicaRequest(number=7))).replica
        # Until it says so itself: another router has only its word.
        assert int(undrained.state) == State.DRAINING
        answer = await replica.report(load=DRAINING, may_answer_later=True)
        assert answer.HasField("is_drain_wanted")
        assert not answer.is_drain_wanted
        await replica.report(load=IDLE)
        assert len(await offered(running, api_key)) == 2


async def test_the_replica_is_told_with_its_next_report_until_it_says_so_itself(
    running: RunningRouter,
) -> None:
    async with running.replica() as replica:
        assert not (await replica.report(load=IDLE)).HasField("is_drain_wanted")
        await running.admin.DrainReplica(DrainReplicaRequest(number=7))
        for _ in range(2):
            assert (await replica.report(load=IDLE, may_answer_later=True)).is_drain_wanted
        assert not (await replica.report(load=DRAINING)).HasField("is_drain_wanted")
        # From here on its own word holds.
        await replica.report(load=IDLE)
        assert await states(running) == {7: State.READY}


async def test_a_drain_outlives_the_stream_and_not_the_process(running: RunningRouter) -> None:
    async with running.replica(incarnation=1):
        await running.admin.DrainReplica(DrainReplicaRequest(number=7))
    again = ReportStream(running.replicas.Report())
    answer = await again.report(registration=registration_message(incarnation=1), load=IDLE)
    assert answer.is_drain_wanted
    again.cancel()
    running.clock.advance(11)
    async with running.replica(incarnation=2) as restarted:
        assert not (await restarted.report(load=IDLE)).HasField("is_drain_wanted")
        assert await states(running) == {7: State.READY}


@pytest.mark.parametrize("is_drain", [True, False])
async def test_a_replica_that_is_not_there_is_not_found(running: RunningRouter, is_drain: bool) -> None:
    if is_drain:
        error = await refused(running.admin.DrainReplica(DrainReplicaRequest(number=7)))
    else:
        error = await refused(running.admin.UndrainReplica(UndrainReplicaRequest(number=7)))
    assert (error.reason, error.field) == (Reason.NOT_FOUND, "number")


async def test_a_replica_that_stops_by_itself_is_not_undrained(running: RunningRouter) -> None:
    async with running.replica() as replica:
        await replica.report(load=DRAINING)
        await running.admin.UndrainReplica(UndrainReplicaRequest(number=7))
        await replica.report(load=DRAINING)
        assert await states(running) == {7: State.DRAINING}
