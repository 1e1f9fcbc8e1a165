"""What was not confirmed is said again, what was is not, and nothing waits for ever."""

from dataclasses import replace

from comptoir.router.v1 import replica_pb2

from services.generator.adapters.lease_reports import LeaseReports
from services.generator.domain.terminal_event import Counts
from services.generator.domain.ticket import Claims
from services.generator.wire.reports import settlement_from
from services.kernel.identity import Identity
from tests.services.generator.domain.test_ticket import CLAIMS


def claims(number: int) -> Claims:
    return replace(CLAIMS, lease_id=Identity(1, number), ticket_id=Identity(2, number))


def settle(reports: LeaseReports, number: int, now_seconds: float) -> None:
    settlement = settlement_from(claims(number), Counts(1, 0, 1), is_unserved=False)
    reports.settle(claims(number), settlement, now_seconds)


def due(reports: LeaseReports, now_seconds: float) -> tuple[list[int], list[int]]:
    acceptances, settlements = reports.due(now_seconds)
    return [one.lease_id_low for one in acceptances], [one.lease_id_low for one in settlements]


def lease(number: int) -> replica_pb2.LeaseIdentity:
    return replica_pb2.LeaseIdentity(high=1, low=number)


def test_a_request_that_ended_before_the_report_is_only_settled() -> None:
    reports = LeaseReports(lifetime_seconds=660.0)
    reports.accept(claims(1), 0.0)
    reports.accept(claims(2), 0.0)
    settle(reports, 1, 0.1)
    assert due(reports, 0.2) == ([2], [1])
    assert due(reports, 0.3) == ([], [])


def test_what_is_not_confirmed_is_due_again_and_what_is_confirmed_never() -> None:
    reports = LeaseReports(lifetime_seconds=660.0)
    for number in (1, 2):
        reports.accept(claims(number), 0.0)
        settle(reports, number + 2, 0.0)
    assert due(reports, 0.0) == ([1, 2], [3, 4])
    reports.confirm(replica_pb2.ReportResponse(accepted=[lease(1), lease(9)], closed=[lease(3), lease(9)]))
    assert due(reports, 5.1) == ([2], [4])


def test_all_is_confirmed_once_the_router_has_confirmed_acceptances_and_settlements() -> None:
    reports = LeaseReports(lifetime_seconds=660.0)
    assert not reports.has_unconfirmed
    reports.accept(claims(1), 0.0)
    assert reports.has_unconfirmed
    reports.confirm(replica_pb2.ReportResponse(accepted=[lease(1)]))
    assert not reports.has_unconfirmed
    settle(reports, 1, 0.0)
    assert reports.has_unconfirmed
    reports.confirm(replica_pb2.ReportResponse(closed=[lease(1)]))
    assert not reports.has_unconfirmed


def test_another_stream_is_told_all_that_is_open_again() -> None:
    reports = LeaseReports(lifetime_seconds=660.0)
    reports.accept(claims(1), 0.0)
    assert due(reports, 0.0) == ([1], [])
    reports.confirm(replica_pb2.ReportResponse(accepted=[lease(1)]))
    reports.begin()
    assert due(reports, 0.1) == ([1], [])


def test_more_than_a_report_may_hold_is_said_in_the_next_ones() -> None:
    reports = LeaseReports(lifetime_seconds=660.0)
    for number in range(2_500):
        reports.accept(claims(number), 0.0)
        settle(reports, number + 5_000, 0.0)
    said = [reports.due(0.0) for _ in range(4)]
    assert [(len(accepted), len(settled)) for accepted, settled in said] == [
        (1000, 1000),
        (1000, 1000),
        (500, 500),
        (0, 0),
    ]


async def test_a_settlement_older_than_any_lease_is_dropped() -> None:
    reports = LeaseReports(lifetime_seconds=660.0)
    settle(reports, 1, 0.0)
    assert due(reports, 661.0) == ([], [])
    assert await reports.settled(0.0) == 0


async def test_no_more_settlements_wait_than_leases_can_be_open() -> None:
    reports = LeaseReports(lifetime_seconds=660.0)
    for number in range(20):
        settle(reports, number, number * 220.0)
    assert await reports.settled(0.0) == 4


def test_what_is_called_back_and_was_not_accepted_is_said_once_beside_what_has_ended() -> None:
    reports = LeaseReports(lifetime_seconds=660.0)
    settle(reports, 1, 0.0)
    called = replica_pb2.ReportResponse(called_back=[lease(2), lease(3)])
    assert not reports.confirm(called, lambda _: False)
    assert not reports.confirm(called)
    assert reports.confirm(called, lambda lease_id: lease_id.low == 3)
    _, settlements = reports.due(0.1)
    assert [(one.lease_id_low, one.is_unserved, one.key) for one in settlements] == [
        (1, False, 12),
        (3, True, 0),
    ]
    reports.confirm(replica_pb2.ReportResponse(closed=[lease(1), lease(3)]))
    assert due(reports, 9.0) == ([], [])


def test_no_report_says_more_than_its_bound_of_what_is_called_back() -> None:
    reports = LeaseReports(lifetime_seconds=660.0)
    settle(reports, 0, 0.0)
    reports.confirm(replica_pb2.ReportResponse(called_back=map(lease, range(1, 1001))), lambda _: True)
    assert [len(due(reports, 0.1)[1]) for _ in range(3)] == [1000, 1, 0]
