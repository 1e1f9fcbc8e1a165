"""A decision counts what replicas have, what waits for one, and how fast requests end."""

from dataclasses import replace

import pytest

from services.contract.first_tokens import FirstTokens, bucket_of
from services.kernel.errors import ComptoirError, Reason
from services.kernel.identity import Identity
from services.router.adapters.replica_directory import MemoryReplicaDirectory
from services.router.domain.desired_replicas import DesiredReplicas
from services.router.domain.placement.kinds import NO_KINDS, Kind, Kinds
from services.router.domain.placement.replica import Claims, Load
from services.router.domain.scaling import ScalingRules
from tests.fakes.router import IDLE, AdmissionWorld, registration

MODEL, REGION = 1, 1


class Waiting:
    def __init__(self) -> None:
        self.count = 0
        self.kinds: Kinds = NO_KINDS

    def waiting_for(self, model: int, kinds: Kinds) -> int:
        assert model == MODEL
        self.kinds = kinds
        return self.count


class Scaled:
    """A router's directory whose one model is scaled from nothing."""

    def __init__(self, tenant: int = 0) -> None:
        self.world, self.waiting = AdmissionWorld(scaled_models={MODEL: tenant}), Waiting()
        self.clock, self.replicas = self.world.clock, self.world.replicas
        rules = ScalingRules(
            model="tiny-eu", tenant=tenant, min_replicas=0, max_replicas=4, requests_per_replica=2
        )
        self.desired = DesiredReplicas(
            {MODEL: rules},
            self.replicas,
            self.waiting,
            self.clock,
            region=REGION,
            limits=self.world.limits,
        )

    def demand(self) -> tuple[int, ...]:
        found = self.desired.demand(MODEL, self.clock.monotonic_seconds())
        return (
            found.open_requests,
            found.queued_requests,
            found.held_requests,
            found.ready_replicas,
            found.starting_replicas,
        )


def test_what_replicas_have_counts_but_for_those_that_drain() -> None:
    scaled = Scaled()
    scaled.world.add_replica(1, load=Load(3, 2, 0, 0.0, is_draining=False))
    scaled.world.add_replica(2, load=Load(9, 0, 0, 0.0, is_draining=True))
    scaled.world.add_replica(3, load=None)
    scaled.waiting.count = 4
    assert scaled.demand() == (5, 2, 4, 1, 1)
    assert scaled.desired.decide(MODEL).desired == 4


def test_replicas_of_tenants_have_no_part_in_what_serves_everybody_nor_has_that_in_theirs() -> None:
    everybodys, of_five = Scaled(), Scaled(tenant=5)
    for scaled in (everybodys, of_five):
        scaled.world.add_replica(1, load=Load(3, 2, 0, 0.0, is_draining=False), features=2)
        scaled.world.add_replica(2, load=Load(1, 0, 0, 0.0, is_draining=False), tenant=5)
        for number, count in ((1, 3), (2, 1)):
            for each in range(count):
                scaled.replicas.assign(Identity(number, each + 1), number)
                scaled.replicas.unassign(Identity(number, each + 1))
    assert everybodys.demand() == (5, 2, 0, 1, 0)
    assert everybodys.waiting.kinds == {Kind(features=2)}
    assert of_five.demand() == (1, 0, 0, 1, 0)
    assert of_five.waiting.kinds == {Kind(tenant=5)}
    assert [everybodys.replicas.ended_requests(MODEL, REGION, tenant) for tenant in (0, 5)] == [3, 1]


def test_what_waits_counts_where_nobody_knows_yet_what_is_started_for_it() -> None:
    scaled = Scaled()
    scaled.waiting.count = 1
    assert scaled.desired.decide(MODEL).desired == 1
    assert scaled.waiting.kinds == {Kind()}


def test_the_pace_is_that_of_the_last_half_minute() -> None:
    scaled = Scaled()
    scaled.world.add_replica(1, load=IDLE)
    for second in range(60):
        # Two end in each second of the first half, none in the other.
        for number in range(2 if second < 30 else 0):
            holder = Identity(second + 1, number + 1)
            scaled.replicas.assign(holder, 1)
            scaled.replicas.unassign(holder)
        scaled.clock.advance(1)
        now = scaled.clock.monotonic_seconds()
        pace = scaled.desired.demand(MODEL, now).ended_per_second
        if second == 29:
            assert pace == pytest.approx(2.0, rel=0.1)
    assert pace == pytest.approx(0.0, abs=0.1)


def test_a_ticket_that_nobody_used_is_no_request_that_ended() -> None:
    scaled = Scaled()
    scaled.world.add_replica(1, load=IDLE)
    holder = Identity(1, 1)
    now = scaled.clock.monotonic_seconds()
    scaled.replicas.claim(holder, 1, Claims(until_seconds=now + 1), now)
    scaled.replicas.drop_unclaimed(now + 2)
    scaled.replicas.assign(holder, 1)
    assert scaled.replicas.ended_requests(MODEL, REGION) == 0
    scaled.replicas.unassign(holder)
    scaled.replicas.unassign(holder)
    assert scaled.replicas.ended_requests(MODEL, REGION) == 1


def test_a_model_without_rules_is_not_found() -> None:
    with pytest.raises(ComptoirError) as refusal:
        Scaled().desired.decide(2)
    assert refusal.value.reason is Reason.NOT_FOUND


def test_a_replica_of_a_model_that_is_scaled_is_always_expected() -> None:
    world = AdmissionWorld()
    directory = MemoryReplicaDirectory(world.limits, 0.0, scaled_models={2: 0})
    assert directory.expected_seconds(2, REGION, 10_000.0) == float("inf")
    assert directory.expected_seconds(1, REGION, 10_000.0) == 0.0
    assert directory.register(registration(1), 0.0)


def test_what_interactive_requests_wait_for_a_first_token_is_that_of_all_replicas_if_enough_did() -> None:
    scaled = Scaled()
    fast, slow = (FirstTokens(interactive=(0,) * bucket_of(seconds) + (10,)) for seconds in (0.1, 3.0))
    scaled.world.add_replica(1, load=replace(IDLE, first_tokens=fast))
    now = scaled.clock.monotonic_seconds()
    assert scaled.desired.demand(MODEL, now).ttft_p95_seconds is None
    scaled.world.add_replica(2, load=replace(IDLE, first_tokens=slow))
    found = scaled.desired.demand(MODEL, now).ttft_p95_seconds
    assert found is not None
    assert 3.0 <= found < 3.6


def test_a_replica_that_crashes_again_and_again_while_it_loads_is_not_counted_as_one_that_starts() -> None:
    scaled = Scaled()
    serving = scaled.world.add_replica(1, load=IDLE)
    for incarnation in range(1, 5):
        session = scaled.replicas.register(
            replace(registration(2), incarnation=incarnation), scaled.clock.monotonic_seconds()
        )
        found = scaled.desired.demand(MODEL, scaled.clock.monotonic_seconds())
        assert (found.starting_replicas, found.failing_replicas) == ((1, 0) if incarnation < 4 else (0, 1))
        scaled.replicas.leave(session, scaled.clock.monotonic_seconds())
        scaled.clock.advance(20)
        scaled.replicas.report(serving, IDLE, scaled.clock.monotonic_seconds())
        scaled.replicas.gone(scaled.clock.monotonic_seconds())
    found = scaled.desired.demand(MODEL, scaled.clock.monotonic_seconds())
    assert (found.ready_replicas, found.starting_replicas, found.failing_replicas) == (1, 0, 1)
