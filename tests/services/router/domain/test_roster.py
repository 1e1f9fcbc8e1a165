"""Operators see every replica with the state by which placement decides."""

from services.router.domain.placement.replica import Load, State
from services.router.domain.roster import Roster
from tests.fakes.router import IDLE, LIMITS, AdmissionWorld


def test_every_replica_is_listed_with_what_keeps_requests_from_it() -> None:
    world = AdmissionWorld()
    roster = Roster(world.replicas, LIMITS, world.clock)
    assert roster.standings() == []
    sessions = [world.add_replica(number, load=IDLE if number > 1 else None) for number in (1, 2, 3, 4, 5)]
    world.clock.advance(6)
    now = world.clock.monotonic_seconds()
    assert not roster.has_ready()
    world.replicas.report(sessions[2], Load(0, 0, 0, 0.0, is_draining=True), now)
    world.replicas.report(sessions[3], IDLE, now, clock_offset_seconds=-10.0)
    world.replicas.report(sessions[4], Load(2, 1, 500, 0.0, is_draining=False), now)
    world.clock.advance(1)
    assert roster.has_ready()
    standings = roster.standings()
    assert [standing.replica.registration.replica for standing in standings] == [1, 2, 3, 4, 5]
    assert [standing.state for standing in standings] == [
        State.STARTING,
        State.SILENT,
        State.DRAINING,
        State.CLOCK_WRONG,
        State.READY,
    ]
    assert [standing.report_age_seconds for standing in standings] == [7, 7, 1, 1, 1]
    assert {standing.registered_for_seconds for standing in standings} == {7}


def test_how_many_routers_have_quotas_of_their_own_is_what_replicas_say() -> None:
    world = AdmissionWorld()
    roster = Roster(world.replicas, LIMITS, world.clock)
    assert roster.routers_with_own_quotas() == 0
    world.add_replica(1)
    world.add_replica(2, routers=1)
    assert roster.routers_with_own_quotas() == 0
    world.add_replica(3, routers=3)
    assert roster.routers_with_own_quotas() == 3
