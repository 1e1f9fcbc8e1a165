"""Headroom counts places of replicas that are ready, and no more than the fullest cache has left."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from services.console.domain.capacity import Fleet, Hold, Replica

ONE = Replica(1, "f3", "eu-fr", "ready", 3, 1, 4, 16, 0.25, 0.2)


def test_places_of_a_replica_that_is_not_ready_are_no_room() -> None:
    (model,) = Fleet((ONE, replace(ONE, number=2, state="draining"))).models
    assert (model.replicas, model.ready, model.places, model.free_places) == (2, 1, 16, 12)
    assert (model.running_requests, model.waiting_requests) == (6, 2)
    assert model.headroom == 0.75


def test_a_full_cache_leaves_less_than_the_places_do() -> None:
    assert Fleet((replace(ONE, kv_usage=0.75),)).whole.headroom == 0.25


def test_a_model_says_why_its_batch_is_held_back() -> None:
    fleet = Fleet((ONE,), (Hold("other", "no"), Hold("f3", "a peak window")))
    assert [model.held_back for model in fleet.models] == ["a peak window"]


def test_nothing_has_no_headroom() -> None:
    assert Fleet(()).whole.headroom == 0.0
    assert replace(ONE, max_requests=0).used == 0.0


@given(
    in_flight=st.integers(0, 10**6),
    most=st.integers(0, 10**6),
    kv_usage=st.floats(0, 1),
)
def test_shares_stay_between_nothing_and_all(in_flight: int, most: int, kv_usage: float) -> None:
    replica = replace(ONE, in_flight_requests=in_flight, max_requests=most, kv_usage=kv_usage)
    assert 0.0 <= replica.used <= 1.0
    assert 0.0 <= Fleet((replica,)).whole.headroom <= 1.0
