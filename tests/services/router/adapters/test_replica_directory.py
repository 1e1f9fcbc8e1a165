"""The newest registration of a number owns it, and only it can take it away."""

import math
import time
from dataclasses import replace

import pytest

from services.kernel.errors import ComptoirError, Reason
from services.kernel.identity import Identity
from services.router.adapters.replica_directory import MemoryReplicaDirectory
from services.router.domain.lease import Process
from services.router.domain.placement.backlog import Backlog
from services.router.domain.placement.replica import Claims
from tests.fakes.router import IDLE, LIMITS, busy, changed_limits, registration


def directory_of() -> MemoryReplicaDirectory:
    return MemoryReplicaDirectory(LIMITS, started_at_seconds=0.0)


LEASE, CLAIMED = Identity(1, 1), Identity(1, 2)


def test_a_replica_is_in_its_pool_until_it_leaves() -> None:
    directory = directory_of()
    session = directory.register(registration(7), 100)
    (replica,) = directory.pool(1, 1)
    assert (replica.registration, replica.load, replica.in_flight) == (registration(7), None, 0)
    assert directory.pool(2, 1) == directory.pool(1, 2) == []
    directory.leave(session, 101)
    assert directory.pool(1, 1) == []


def test_a_report_brings_load_and_its_time() -> None:
    directory = directory_of()
    session = directory.register(registration(7), 100)
    assert directory.report(session, IDLE, 101)
    (replica,) = directory.pool(1, 1)
    assert (replica.load, replica.reported_at_seconds) == (IDLE, 101)


def test_an_old_stream_can_neither_report_for_nor_end_a_newer_one() -> None:
    directory = directory_of()
    old = directory.register(registration(7), 100)
    directory.register(registration(7, max_requests=9), 111)
    assert not directory.report(old, IDLE, 112)
    directory.leave(old, 112)
    (replica,) = directory.pool(1, 1)
    assert (replica.registration.max_requests, replica.load) == (9, None)


def test_another_replica_cannot_take_an_address() -> None:
    directory = directory_of()
    directory.register(registration(7), 100)
    stolen = replace(registration(8), address=registration(7).address)
    with pytest.raises(ComptoirError) as refusal:
        directory.register(stolen, 110)
    assert (refusal.value.reason, refusal.value.field) == (Reason.ALREADY_EXISTS, "registration.address")
    assert [one.registration.replica for one in directory.pool(1, 1)] == [7]
    directory.register(stolen, 110.1)
    assert [one.registration.replica for one in directory.pool(1, 1)] == [8]


def test_requests_in_flight_are_counted_once_and_end_once() -> None:
    directory = directory_of()
    directory.register(registration(7), 100)
    for _ in range(2):
        directory.assign(LEASE, 7)
    assert directory.pool(1, 1)[0].in_flight == 1
    for _ in range(2):
        directory.unassign(LEASE)
    assert directory.pool(1, 1)[0].in_flight == 0


def test_a_request_that_is_accepted_elsewhere_is_counted_there() -> None:
    directory = directory_of()
    for number in (7, 8):
        directory.register(registration(number), 100)
        directory.assign(LEASE, number)
    assert [replica.in_flight for replica in directory.pool(1, 1)] == [0, 1]


def test_a_registration_starts_with_nothing_in_flight() -> None:
    directory = directory_of()
    session = directory.register(registration(7), 100)
    directory.claim(LEASE, 7, Claims(until_seconds=102), 100)
    directory.register(registration(7), 111)
    assert directory.pool(1, 1)[0].in_flight == 0
    directory.unassign(LEASE)
    directory.leave(session, 101)
    assert not directory._replica_of
    assert not directory._unclaimed


def test_a_request_for_a_replica_that_left_is_not_counted() -> None:
    directory = directory_of()
    directory.assign(LEASE, 7)
    directory.unassign(LEASE)
    assert not directory._replica_of


def test_a_place_that_nobody_claims_is_free_again() -> None:
    directory = directory_of()
    directory.register(registration(7), 100)
    directory.claim(LEASE, 7, Claims(until_seconds=102), 100)
    directory.claim(CLAIMED, 7, Claims(until_seconds=102), 100)
    directory.assign(CLAIMED, 7)
    directory.drop_unclaimed(101.9)
    assert directory.pool(1, 1)[0].in_flight == 2
    directory.drop_unclaimed(102)
    assert directory.pool(1, 1)[0].in_flight == 1


@pytest.mark.parametrize(
    ("before", "after", "gone"),
    [(5, 6, [Process(7, 5)]), (0, 6, [Process(7, 0)]), (5, 0, [Process(7, 5)]), (5, 5, []), (0, 0, [])],
)
def test_only_another_process_of_a_replica_shows_at_once_that_the_old_one_is_gone(
    before: int, after: int, gone: list[Process]
) -> None:
    directory = directory_of()
    directory.leave(directory.register(registration(7, incarnation=before), 100), 100)
    directory.register(registration(7, incarnation=after), 101)
    assert directory.gone(101) == gone
    assert directory.gone(101) == []


def test_a_replica_that_stays_away_is_gone_and_one_that_comes_back_is_not() -> None:
    directory = directory_of()
    for number in (7, 8):
        directory.leave(directory.register(registration(number, incarnation=5), 100), 101)
    directory.register(registration(8, incarnation=5), 105.9)
    assert directory.gone(105.9) == []
    assert directory.gone(106) == [Process(7, 5)]
    assert directory.gone(107) == []


def test_a_replica_that_says_nothing_is_gone_and_has_to_register_again() -> None:
    directory = directory_of()
    session = directory.register(registration(7, incarnation=5), 100)
    assert directory.report(session, None, 101)
    assert directory.gone(111) == []
    assert directory.gone(111.1) == [Process(7, 5)]
    assert not directory.report(session, IDLE, 111.1)
    assert directory.pool(1, 1) == []


def holding() -> MemoryReplicaDirectory:
    return MemoryReplicaDirectory(changed_limits(hold_seconds=30.0), started_at_seconds=100.0)


def test_a_router_that_has_just_started_expects_every_model_for_a_moment() -> None:
    directory = holding()
    assert directory.expected_seconds(1, 1, 101) == 4
    assert directory.expected_seconds(1, 1, 106) == 0


def test_a_model_that_nobody_served_yet_is_expected_for_longer_where_the_settings_say_so() -> None:
    limits = changed_limits(hold_seconds=30.0, first_replica_seconds=60.0)
    directory = MemoryReplicaDirectory(limits, started_at_seconds=100.0)
    directory.report(directory.register(registration(7), 101), IDLE, 101)
    assert directory.expected_seconds(2, 1, 110) == 50
    assert directory.expected_seconds(2, 1, 160) == 0
    directory.gone(112)
    assert directory.expected_seconds(1, 1, 112) == pytest.approx(19), "that was served until a moment ago"


def test_a_replica_that_registered_is_expected_until_it_is_ready_and_while_it_is_silent() -> None:
    directory = holding()
    session = directory.register(registration(7), 200)
    assert directory.expected_seconds(1, 1, 200) == math.inf
    assert directory.expected_seconds(2, 1, 200) == directory.expected_seconds(1, 2, 200) == 0
    directory.report(session, IDLE, 201)
    assert directory.expected_seconds(1, 1, 206.1) == math.inf, "silent"
    directory.gone(211.1)
    assert directory.expected_seconds(1, 1, 211.1) == pytest.approx(19.9)


def test_a_replica_that_was_ready_and_left_is_expected_for_as_long_as_requests_are_held() -> None:
    directory = holding()
    session = directory.register(registration(7), 200)
    directory.report(session, IDLE, 201)
    directory.leave(session, 202)
    assert directory.expected_seconds(1, 1, 202) == 29
    assert directory.expected_seconds(1, 1, 231.1) == 0


def test_a_replica_that_left_before_it_was_ready_may_come_back_for_seconds() -> None:
    directory = holding()
    directory.leave(directory.register(registration(7), 200), 202)
    assert directory.expected_seconds(1, 1, 203) == 4
    assert directory.expected_seconds(1, 1, 207.1) == 0


def test_a_replica_whose_clock_is_wrong_or_that_drains_is_not_expected() -> None:
    directory = holding()
    wrong, drains = (directory.register(registration(number), 200) for number in (7, 8))
    directory.report(wrong, IDLE, 201, clock_offset_seconds=60.0)
    directory.report(drains, replace(IDLE, is_draining=True), 201)
    assert directory.expected_seconds(1, 1, 202) == 0


def test_prompts_that_were_sent_count_until_a_report_holds_them_and_once() -> None:
    directory = directory_of()
    session = directory.register(registration(7), 100)
    load = busy(waiting_input_tokens=400, input_tokens_per_second=100)
    directory.report(session, load, 100)
    directory.claim(LEASE, 7, Claims(200, 3, 102), 101)
    assert _backlog(directory).left_tokens(101) == 500
    assert directory.pool(1, 1)[0].claims == Claims(200, 3)
    # A report that came before it was accepted does not hold it; the one that says so does.
    directory.report(session, load, 101)
    assert _backlog(directory).left_tokens(101) == 600
    directory.unassign(LEASE)
    assert _backlog(directory).left_tokens(101) == 400
    assert directory.pool(1, 1)[0].claims == Claims()


def test_what_was_sent_well_before_a_report_is_in_its_numbers_whichever_router_is_told_of_it() -> None:
    directory = directory_of()
    session = directory.register(registration(7), 100)
    load = busy(waiting_input_tokens=200, input_tokens_per_second=100)
    directory.report(session, load, 100)
    directory.claim(LEASE, 7, Claims(200, 3, 102), 100)
    directory.claim(CLAIMED, 7, Claims(100, 2, 102.5), 100.5)
    # That both were accepted another router is told: the first counted twice, for two seconds.
    directory.report(session, load, 100.6)
    assert directory.pool(1, 1)[0].claims == Claims(100, 2)
    assert _backlog(directory).left_tokens(100.6) == 300
    assert directory.pool(1, 1)[0].in_flight == 2
    directory.unassign(LEASE)
    directory.unassign(CLAIMED)
    assert (directory.pool(1, 1)[0].claims, directory.pool(1, 1)[0].in_flight) == (Claims(), 0)


def test_what_a_request_costs_does_not_grow_with_those_that_nobody_accepted_yet() -> None:
    def seconds_with(waiting: int) -> float:
        directory = directory_of()
        directory.report(directory.register(registration(7), 100), IDLE, 100)
        for _ in range(waiting):
            directory.claim(Identity.random(), 7, Claims(200, 3, 112), 100)
        begun = time.thread_time()
        for number in range(100):
            directory.claim(LEASE, 7, Claims(200, 3, 112), 100)
            assert directory.pool(1, 1)[0].claims == Claims(200 * (waiting + 1), 3 * (waiting + 1)), number
        return time.thread_time() - begun

    # A walk over all of them would take thousands of times as long.
    assert seconds_with(20_000) < 100 * seconds_with(2)


def _backlog(directory: MemoryReplicaDirectory) -> Backlog:
    backlog = directory.pool(1, 1)[0].backlog
    assert backlog is not None
    return backlog
