"""A caller that waits long for its first token: which replica it may leave, and what is learnt of that."""

import pytest

from services.kernel.errors import Reason
from services.router.domain.admission import Admission
from services.router.domain.limits import PlacementRules
from services.router.domain.placement.circuit import CircuitRules
from services.router.domain.ticket import TicketOffer
from tests.fakes.router import IDLE, LIMITS, busy, changed_limits
from tests.services.router.domain.test_offers import Scene, reason_of

# Too long, and too short to be given up for it.
SILENT_SECONDS = 2.6


async def hedged(scene: Scene, admission: Admission) -> TicketOffer:
    return await scene.world.admitter.next_offer(scene.api_key, admission.grant.lease_id, is_hedge=True)


async def accepted(scene: Scene) -> Admission:
    admission = await scene.admitted()
    await scene.accept(scene.signed[-1])
    return admission


def report(scene: Scene, number: int, load: object = IDLE) -> None:
    now_seconds = scene.world.clock.monotonic_seconds()
    scene.world.replicas.report(scene.world.sessions[number], load, now_seconds)  # type: ignore[arg-type]


async def test_a_replica_that_accepted_a_request_and_works_is_not_left_however_long_its_queue_is() -> None:
    scene = Scene(replicas=2)
    admission = await accepted(scene)
    report(scene, scene.signed[-1].replica, busy(running=9, waiting=90, age_seconds=1.0))
    assert await reason_of(hedged(scene, admission)) is Reason.REPLICA_OVERLOADED
    assert len(scene.signed) == 1
    assert [one.circuit.failures for one in scene.world.replicas.everyone()] == [0, 0]


async def test_a_replica_that_did_not_accept_its_request_is_left_though_it_works() -> None:
    scene = Scene(replicas=2)
    admission = await scene.admitted()
    await hedged(scene, admission)
    assert {ticket.replica for ticket in scene.signed} == {1, 2}


async def test_a_replica_whose_engine_stands_still_is_left() -> None:
    scene = Scene(replicas=2)
    admission = await accepted(scene)
    stands = busy(running=1, age_seconds=LIMITS.report_timeout_seconds + 1)
    report(scene, scene.signed[-1].replica, stands)
    await hedged(scene, admission)
    assert {ticket.replica for ticket in scene.signed} == {1, 2}


async def test_a_replica_that_stopped_to_report_is_left_before_it_is_given_up() -> None:
    scene = Scene(replicas=2)
    admission = await accepted(scene)
    hung = scene.signed[-1].replica
    scene.world.clock.advance(SILENT_SECONDS)
    report(scene, 3 - hung)
    await hedged(scene, admission)
    assert [ticket.replica for ticket in scene.signed] == [hung, 3 - hung]


async def test_where_nobody_else_is_there_the_caller_stays_and_may_ask_again() -> None:
    scene = Scene(replicas=1)
    admission = await accepted(scene)
    scene.world.clock.advance(SILENT_SECONDS)
    assert await reason_of(hedged(scene, admission)) is Reason.NO_REPLICA
    scene.world.add_replica(2, incarnation=5)
    await hedged(scene, admission)
    assert scene.signed[-1].replica == 2


async def test_a_question_that_brings_no_ticket_says_nothing_of_the_replica() -> None:
    """Where all are slow to accept, and full or alone, each that asks would have its replica left alone."""
    scene = Scene(replicas=1)
    admissions = [await scene.admitted() for _ in range(3)]
    for admission in admissions:
        assert await reason_of(hedged(scene, admission)) is Reason.NO_REPLICA
    assert [one.circuit.failures for one in scene.world.replicas.everyone()] == [0]
    scene.world.add_replica(2, incarnation=5)
    await hedged(scene, admissions[0])
    assert [one.circuit.failures for one in scene.world.replicas.everyone()] == [1, 0]


async def test_a_request_that_does_not_hedge_gets_its_ticket_though_the_replica_works() -> None:
    scene = Scene(replicas=2)
    admission = await accepted(scene)
    await scene.another(admission)
    assert len(scene.signed) == 2


@pytest.mark.parametrize("is_accepted", [True, False])
async def test_a_replica_that_hangs_five_requests_gets_no_new_ones(*, is_accepted: bool) -> None:
    scene = Scene(0, changed_limits(placement=PlacementRules(circuit=CircuitRules(failures=5))))
    for number in (1, 2):
        scene.world.add_replica(number, incarnation=5, max_requests=100, kv_blocks=6_400)
    admissions = [await scene.admitted() for _ in range(10)]
    first = list(scene.signed)
    for ticket in first:
        if is_accepted:
            await scene.accept(ticket)
    scene.world.clock.advance(SILENT_SECONDS)
    report(scene, 2)
    for admission, ticket in zip(admissions, first, strict=True):
        if ticket.replica == 1:
            await hedged(scene, admission)
    del scene.signed[:]
    for _ in range(6):
        await scene.admitted()
    assert [ticket.replica for ticket in scene.signed] == [2] * 6
