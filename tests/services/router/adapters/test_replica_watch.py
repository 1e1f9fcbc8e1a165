"""Replicas and their load as metrics."""

from dataclasses import replace

from services.router.adapters.replica_watch import RegistrationCounter, ReplicaWatch
from services.router.domain.roster import Roster
from tests.fakes.router import IDLE, LIMITS, AdmissionWorld, registration
from tests.services.runtime.metrics.collecting import collected

_NAMES = {1: "tiny-eu", 2: "other-eu"}
_BUSY = replace(IDLE, running_requests=3, waiting_requests=2, kv_usage_permille=250)


def test_replicas_are_counted_by_model_and_state_and_show_what_they_reported() -> None:
    world = AdmissionWorld()
    roster = Roster(world.replicas, LIMITS, world.clock)
    with collected() as shown:
        watch = ReplicaWatch(_NAMES)
        world.add_replica(7, load=_BUSY)
        world.add_replica(8, load=None)
        world.clock.advance(2)
        watch.look(roster)
        count = "comptoir.router.replicas"
        assert shown.value(count, gen_ai__request__model="tiny-eu", state="ready") == 1
        assert shown.value(count, gen_ai__request__model="tiny-eu", state="starting") == 1
        assert shown.value(count, gen_ai__request__model="other-eu", state="ready") == 0
        seven = {"gen_ai__request__model": "tiny-eu", "comptoir__replica": "7"}
        assert shown.value("comptoir.router.replica_running_requests", **seven) == 3
        assert shown.value("comptoir.router.replica_waiting_requests", **seven) == 2
        assert shown.value("comptoir.router.replica_kv_usage", **seven) == 0.25
        assert shown.value("comptoir.router.replica_report_age", **seven) == 2
        eight = {**seven, "comptoir__replica": "8"}
        assert shown.value("comptoir.router.replica_running_requests", **eight) is None
        world.replicas.leave(world.sessions[7], world.clock.monotonic_seconds())
        watch.look(roster)
        assert shown.value("comptoir.router.replica_running_requests", **seven) is None
        assert shown.value(count, gen_ai__request__model="tiny-eu", state="ready") == 0


def test_each_registration_counts_so_that_a_replica_that_flaps_is_seen() -> None:
    with collected() as shown:
        counted = RegistrationCounter(_NAMES)
        counted.count(registration(7))
        counted.count(registration(7))
        counted.count(registration(8))
        seven = {"gen_ai__request__model": "tiny-eu", "comptoir__replica": "7"}
        assert shown.value("comptoir.router.replica_registrations", **seven) == 2


def test_a_start_is_one_registration_though_it_says_more_once_it_is_ready() -> None:
    seven = {"gen_ai__request__model": "tiny-eu", "comptoir__replica": "7"}
    with collected() as shown:
        counted = RegistrationCounter(_NAMES)

        def after(incarnation: int, *, engine: int) -> float | None:
            counted.count(registration(7, incarnation=incarnation, engine=engine))
            return shown.value("comptoir.router.replica_registrations", **seven)

        assert [after(5, engine=0), after(5, engine=1)] == [1, 1]
        # It lost its connection, then was restarted twice, the first time before it was ready.
        assert after(5, engine=1) == 2
        assert [after(6, engine=0), after(7, engine=0), after(7, engine=1)] == [3, 4, 4]
        # It lost its connection while it started.
        assert [after(8, engine=0), after(8, engine=0), after(8, engine=1)] == [5, 6, 6]
        # Another process that was not heard of while it started.
        assert [after(9, engine=0), after(10, engine=1)] == [7, 8]
