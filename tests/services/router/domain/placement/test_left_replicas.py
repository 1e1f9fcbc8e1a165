"""What left is remembered for as long as it may take to come back, and no more of it than is bounded."""

import math

import pytest

from services.router.domain.placement import left_replicas
from services.router.domain.placement.left_replicas import Left, LeftReplicas
from tests.fakes.router import changed_limits, registration

LIMITS = changed_limits(hold_seconds=30.0, replica_return_seconds=5.0)


def left(number: int, at: float, *, ready_at: float = -math.inf, model: int = 1) -> Left:
    return Left(registration(number, model=model), ready_at, at, at)


def numbers(replicas: LeftReplicas, at: float, model: int = 1) -> list[int]:
    return [one.registration.replica for one in replicas.of(model, 1, at)]


def test_a_replica_that_left_is_known_for_as_long_as_a_request_is_held() -> None:
    replicas = LeftReplicas(LIMITS, {})
    replicas.note(left(1, 100))
    replicas.note(left(2, 110))
    assert numbers(replicas, 129) == [1, 2]
    assert numbers(replicas, 130) == [2]
    assert numbers(replicas, 140) == []
    assert len(replicas) == 0


def test_engines_that_take_longer_to_start_are_known_for_longer() -> None:
    replicas = LeftReplicas(changed_limits(first_replica_seconds=600.0), {})
    replicas.note(left(1, 100))
    assert (numbers(replicas, 699), numbers(replicas, 700)) == ([1], [])


def test_what_comes_back_was_ready_when_it_was_unless_it_serves_another_model_now() -> None:
    replicas = LeftReplicas(LIMITS, {})
    replicas.note(left(1, 100, ready_at=99))
    assert replicas.come_back(registration(1)) == 99
    assert replicas.come_back(registration(1)) == -math.inf
    replicas.note(left(1, 100, ready_at=99))
    assert replicas.come_back(registration(1, model=2)) == -math.inf
    assert len(replicas) == 0


def test_of_a_model_that_is_scaled_all_may_be_away_for_ever() -> None:
    replicas = LeftReplicas(LIMITS, {2: 0})
    replicas.note(left(1, 100, model=2))
    replicas.note(left(3, 101))
    assert numbers(replicas, 1e6, model=2) == [1]
    assert len(replicas) == 1


def test_those_that_left_first_are_forgotten_where_they_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(left_replicas, "_MOST_LEFT", 3)
    replicas = LeftReplicas(LIMITS, {2: 0})
    for number in range(1, 6):
        replicas.note(left(number, 100 + number, model=2))
    replicas.note(left(3, 110, model=2))
    replicas.note(left(6, 111, model=2))
    assert numbers(replicas, 112, model=2) == [5, 3, 6]
