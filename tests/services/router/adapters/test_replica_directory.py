"""The newest registration of a number owns it, and only it can take it away."""

from dataclasses import replace

import pytest

from services.router.adapters.replica_directory import MemoryReplicaDirectory
from services.runtime.errors import ComptoirError, Reason
from services.runtime.identity import Identity
from tests.fakes.router import IDLE, registration

LEASE = Identity(1, 1)


def test_a_replica_is_in_its_pool_until_it_leaves() -> None:
    directory = MemoryReplicaDirectory()
    session = directory.register(registration(7), 100)
    (replica,) = directory.pool(1, 1)
    assert (replica.registration, replica.load, replica.in_flight) == (registration(7), None, 0)
    assert directory.pool(2, 1) == directory.pool(1, 2) == []
    directory.leave(session)
    assert directory.pool(1, 1) == []


def test_a_report_brings_load_and_its_time() -> None:
    directory = MemoryReplicaDirectory()
    session = directory.register(registration(7), 100)
    directory.report(session, IDLE, 101)
    (replica,) = directory.pool(1, 1)
    assert (replica.load, replica.reported_at_seconds) == (IDLE, 101)


def test_an_old_stream_can_neither_report_for_nor_end_a_newer_one() -> None:
    directory = MemoryReplicaDirectory()
    old = directory.register(registration(7), 100)
    directory.register(registration(7, max_requests=9), 111)
    assert not directory.report(old, IDLE, 112)
    directory.leave(old)
    (replica,) = directory.pool(1, 1)
    assert (replica.registration.max_requests, replica.load) == (9, None)


def test_another_replica_cannot_take_an_address() -> None:
    directory = MemoryReplicaDirectory()
    directory.register(registration(7), 100)
    stolen = replace(registration(8), address=registration(7).address)
    with pytest.raises(ComptoirError) as refusal:
        directory.register(stolen, 110)
    assert (refusal.value.reason, refusal.value.field) == (Reason.ALREADY_EXISTS, "registration.address")
    assert [one.registration.replica for one in directory.pool(1, 1)] == [7]
    directory.register(stolen, 110.1)
    assert [one.registration.replica for one in directory.pool(1, 1)] == [8]


def test_requests_in_flight_are_counted_once_and_end_once() -> None:
    directory = MemoryReplicaDirectory()
    directory.register(registration(7), 100)
    for _ in range(2):
        directory.assign(LEASE, 7)
    assert directory.pool(1, 1)[0].in_flight == 1
    for _ in range(2):
        directory.unassign(LEASE)
    assert directory.pool(1, 1)[0].in_flight == 0


def test_a_registration_starts_with_nothing_in_flight() -> None:
    directory = MemoryReplicaDirectory()
    session = directory.register(registration(7), 100)
    directory.assign(LEASE, 7)
    directory.register(registration(7), 111)
    assert directory.pool(1, 1)[0].in_flight == 0
    directory.unassign(LEASE)
    directory.leave(session)
    assert not directory._process_of_lease


def test_a_request_for_a_replica_that_left_is_not_counted() -> None:
    directory = MemoryReplicaDirectory()
    directory.assign(LEASE, 7)
    directory.unassign(LEASE)
    assert not directory._process_of_lease


@pytest.mark.parametrize(
    ("before", "after", "orphans"), [(5, 6, [LEASE]), (5, 5, []), (5, 0, []), (0, 6, []), (0, 0, [])]
)
def test_only_a_new_process_of_a_replica_orphans_what_the_old_one_held(
    before: int, after: int, orphans: list[Identity]
) -> None:
    directory = MemoryReplicaDirectory()
    session = directory.register(registration(7, incarnation=before), 100)
    directory.assign(LEASE, 7)
    directory.leave(session)
    again = registration(7, incarnation=after)
    directory.register(again, 101)
    assert directory.orphans(registration(8, incarnation=9)) == []
    assert directory.orphans(again) == orphans
    directory.unassign(LEASE)
    assert directory.orphans(again) == []
