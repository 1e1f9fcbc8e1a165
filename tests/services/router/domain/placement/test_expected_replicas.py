"""A replica is expected only where one that may serve the request was here, starts, or is started for it."""

import math

import pytest

from services.router.domain.placement.expected_replicas import ExpectedReplicas
from services.router.domain.placement.kinds import Kind, Requirement
from services.router.domain.placement.replica import Replica
from tests.fakes.router import IDLE, changed_limits, registration, replica

LIMITS = changed_limits(hold_seconds=30.0, replica_return_seconds=5.0)
PLAIN, NEEDY = Requirement(tenant=5), Requirement(tenant=5, needs=2)


class Known:
    """Replicas of one model that come and go."""

    def __init__(self, scaled_models: dict[int, int] | None = None, started_at: float = -math.inf) -> None:
        self.expected = ExpectedReplicas(LIMITS, started_at, scaled_models or {})
        self.pool: list[Replica] = []

    def add(self, number: int, at: float, *, is_ready: bool = True, **fields: int) -> None:
        self.expected.register(registration(number, **fields))
        self.pool.append(replica(number, load=IDLE if is_ready else None, at=at, **fields))
        if is_ready:
            self.expected.note_ready(number, at)

    def leave(self, number: int, at: float) -> None:
        gone = next(one for one in self.pool if one.registration.replica == number)
        self.pool.remove(gone)
        self.expected.leave(gone.registration, at, at)

    def seconds(self, required: Requirement, at: float) -> float:
        return self.expected.seconds(self.pool, 1, 1, at, required)


def test_a_replica_that_cannot_serve_a_request_lets_nobody_expect_one_that_can() -> None:
    known = Known()
    known.add(1, 100, features=0)
    known.add(2, 100, tenant=6)
    assert known.seconds(PLAIN, 101) == 29
    assert known.seconds(NEEDY, 101) == 0
    assert known.seconds(Requirement(tenant=6, needs=2), 101) == 29


def test_one_that_had_what_is_needed_is_expected_back_and_others_that_start_change_nothing() -> None:
    known = Known()
    known.add(1, 100, features=2)
    known.add(2, 100, features=0, is_ready=False)
    known.leave(1, 110)
    assert known.seconds(NEEDY, 110) == 20
    assert known.seconds(NEEDY, 131) == 0
    assert known.seconds(PLAIN, 131) == math.inf


@pytest.mark.parametrize(("after", "may_come"), [(0.0, True), (29.9, True), (30.0, False)])
def test_one_that_had_it_may_come_for_as_long_as_requests_are_held(after: float, may_come: bool) -> None:
    known = Known()
    known.add(1, 100, features=2)
    known.add(2, 100, tenant=6)
    known.leave(1, 110)
    known.leave(2, 110)
    assert known.expected.may_come(1, 1, 110 + after, NEEDY) is may_come
    assert not known.expected.may_come(1, 1, 110, Requirement(tenant=5, needs=4))


def test_one_that_came_back_without_it_is_not_expected_to_have_it() -> None:
    known = Known()
    known.add(1, 100, features=2)
    known.leave(1, 110)
    known.add(1, 111, features=0)
    assert not known.expected.may_come(1, 1, 111, NEEDY)


def test_a_router_that_has_just_started_knows_not_yet_what_there_is() -> None:
    known = Known(started_at=100.0)
    known.add(1, 101, features=0)
    assert known.expected.may_come(1, 1, 104.9, NEEDY)
    assert not known.expected.may_come(1, 1, 105, NEEDY)


def test_what_is_scaled_is_always_expected_by_those_whom_it_may_serve() -> None:
    known = Known({1: 0})
    known.add(1, 100, tenant=6)
    assert known.expected.scaled_kinds(1, 1, 1e6) == {Kind()}, "nobody knows what it is"
    assert known.seconds(NEEDY, 1e6) == math.inf
    known.add(2, 100, features=0)
    known.leave(2, 110)
    assert known.expected.scaled_kinds(1, 1, 1e6) == {Kind(features=0)}
    assert (known.seconds(PLAIN, 1e6), known.seconds(NEEDY, 1e6)) == (math.inf, 0)


def test_what_is_scaled_for_one_tenant_is_expected_by_nobody_else() -> None:
    known = Known({1: 5})
    assert known.seconds(PLAIN, 1e6) == math.inf
    assert known.seconds(Requirement(tenant=6), 1e6) == 0
    assert known.expected.scaled_kinds(2, 1, 1e6) == frozenset()


def test_a_tenants_own_replica_is_not_waited_for_because_others_of_its_model_are_scaled() -> None:
    known, needy = Known({1: 0}), Requirement(tenant=6, needs=2)
    known.add(1, 100, features=0)
    known.add(2, 100, tenant=6, features=2)
    known.leave(2, 110)
    assert known.expected.may_come(1, 1, 139, needy)
    assert not known.expected.may_come(1, 1, 140, needy)
