"""Requests go only where they can run, in the order of the policy that the settings name."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.kernel.engine_features import EngineFeature
from services.kernel.errors import ComptoirError, Reason
from services.router.domain.limits import PlacementPolicy, PlacementRules, RouterLimits
from services.router.domain.placement.placing import POLICIES, place, place_count
from services.router.domain.placement.replica import Load, Replica
from tests.fakes.router import IDLE, LIMITS, NOW, ask, busy, changed_limits, replica


def chosen(*replicas: Replica, tokens: int = 100, after: int = 0, limits: RouterLimits = LIMITS) -> int:
    return place(replicas, ask(tokens, after=after), limits=limits).replica


def refused(*replicas: Replica, tokens: int = 100) -> Reason:
    with pytest.raises(ComptoirError) as refusal:
        chosen(*replicas, tokens=tokens)
    assert refusal.value.retry_after_seconds > 0
    return refusal.value.reason


def test_without_replicas_there_is_none() -> None:
    assert refused() is Reason.NO_REPLICA


@pytest.mark.parametrize(
    "unready",
    [
        replica(1, load=None),
        replica(1, at=NOW - 5.1),
        replica(1, load=Load(0, 0, 0, 0.0, is_draining=True)),
        replica(1, kv_blocks=6),
        replica(1, offset=-10.0),
        replica(1, offset=5.1),
    ],
    ids=["said nothing", "silent", "draining", "too small", "slow clock", "fast clock"],
)
def test_a_replica_that_is_not_ready_gets_nothing(unready: Replica) -> None:
    assert refused(unready) is Reason.NO_REPLICA
    assert chosen(unready, replica(2)) == 2


@pytest.mark.parametrize("offset", [None, -5.0, 0.0, 5.0])
def test_a_clock_within_what_tickets_allow_is_right(offset: float | None) -> None:
    assert chosen(replica(1, offset=offset)) == 1


@pytest.mark.parametrize("full", [replica(1, in_flight=4), replica(1, load=busy(running=3, waiting=1))])
def test_a_full_replica_gets_nothing(full: Replica) -> None:
    assert refused(full) is Reason.REPLICA_OVERLOADED
    assert chosen(full, replica(2)) == 2


def test_predicted_blocks_ride_along() -> None:
    placement = place([replica(1)], ask(33), limits=LIMITS)
    assert placement.predicted_kv_blocks == 3


def test_the_policy_of_the_settings_decides() -> None:
    replicas = [replica(1, in_flight=3), replica(2, in_flight=1), replica(3, in_flight=2), replica(4)]
    round_robin = changed_limits(placement=PlacementRules(policy=PlacementPolicy.ROUND_ROBIN))
    assert chosen(*replicas) == 4
    assert chosen(*replicas, after=2, limits=round_robin) == 3


@pytest.mark.parametrize("policy", PlacementPolicy)
def test_every_policy_that_can_be_named_chooses_each_replica_where_it_is_alone(
    policy: PlacementPolicy,
) -> None:
    for one in (replica(1, in_flight=2), replica(2, load=IDLE), replica(3, load=None)):
        assert POLICIES[policy]([one], ask(after=2)) is one


@pytest.mark.parametrize("policy", list(PlacementPolicy))
def test_no_policy_sends_a_request_to_an_engine_that_stands_still_while_another_works(
    policy: PlacementPolicy,
) -> None:
    stands, works = replica(2, load=busy(running=1, age_seconds=5.1)), replica(1, load=busy(running=3))
    limits = changed_limits(placement=PlacementRules(policy=policy))
    assert place([stands, works], ask(after=1), limits=limits).replica == 1
    assert place([stands], ask(after=1), limits=limits).replica == 2


@pytest.mark.parametrize("policy", list(PlacementPolicy))
def test_a_request_goes_where_its_engine_has_what_it_needs(policy: PlacementPolicy) -> None:
    limits = changed_limits(placement=PlacementRules(policy=policy))
    pool = [replica(1, features=0), replica(2, in_flight=3, features=EngineFeature.LOGPROBS)]
    assert place(pool, ask(needs=EngineFeature.LOGPROBS), limits=limits).replica == 2
    # Where that one is full it waits for it.
    full = [pool[0], replica(2, in_flight=4, features=EngineFeature.LOGPROBS)]
    with pytest.raises(ComptoirError) as refusal:
        place(full, ask(needs=EngineFeature.LOGPROBS), limits=limits)
    assert refusal.value.reason is Reason.REPLICA_OVERLOADED
    silent = [pool[0], replica(2, at=NOW - 5.1, features=EngineFeature.LOGPROBS)]
    with pytest.raises(ComptoirError) as refusal:
        place(silent, ask(needs=EngineFeature.LOGPROBS), limits=limits)
    assert refusal.value.reason is Reason.NO_REPLICA


def of_tenant(tenant: int, *replicas: Replica) -> int:
    return place(replicas, dataclasses.replace(ask(), tenant=tenant), limits=LIMITS).replica


def test_a_replica_of_one_tenant_is_never_given_to_another() -> None:
    with pytest.raises(ComptoirError) as refusal:
        of_tenant(4, replica(1, tenant=3))
    assert refusal.value.reason is Reason.NO_REPLICA
    assert of_tenant(4, replica(1, tenant=3), replica(2, in_flight=3)) == 2
    # One whose caller is of no tenant that is known.
    assert of_tenant(0, replica(1, tenant=3), replica(2, in_flight=3)) == 2


def test_a_tenant_keeps_to_its_own_replica_and_goes_to_others_while_that_is_full() -> None:
    assert of_tenant(3, replica(1, tenant=3, in_flight=3), replica(2)) == 1
    assert of_tenant(3, replica(1, tenant=3, in_flight=4), replica(2)) == 2


def test_a_prompt_is_counted_on_no_replica_of_another_tenant() -> None:
    pool = [replica(1, tenant=3), replica(2), replica(3, tenant=4)]
    places = [
        place_count(pool, now_seconds=NOW, limits=LIMITS, after=after, tenant=4).replica for after in range(4)
    ]
    assert set(places) == {2, 3}


@given(st.lists(st.integers(0, 3), max_size=6), st.integers(0, 3))
def test_whoever_asks_gets_its_own_or_what_is_for_all(tenants: list[int], tenant: int) -> None:
    pool = [replica(number, tenant=of) for number, of in enumerate(tenants, 1)]
    if not {0, tenant} & set(tenants):
        with pytest.raises(ComptoirError):
            of_tenant(tenant, *pool)
        return
    chosen_tenant = tenants[of_tenant(tenant, *pool) - 1]
    assert chosen_tenant == (tenant if tenant in tenants else 0)
