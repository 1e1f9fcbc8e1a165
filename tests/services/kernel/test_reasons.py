"""One row for each reason, and the two doors that read it agree on what it means."""

import grpc
import pytest

from services.edge.domain.openai.errors import public_error
from services.kernel.errors import Reason
from services.kernel.rows import Retry
from services.runtime.grpc.status import STATUS

_CODES = grpc.StatusCode
# HTTP statuses that a gRPC status may stand beside; google.rpc.Code's table, where the two differ in kind.
_BESIDE: dict[grpc.StatusCode, set[int]] = {
    _CODES.UNKNOWN: {500},
    _CODES.UNAUTHENTICATED: {401},
    _CODES.PERMISSION_DENIED: {403, 500},
    _CODES.NOT_FOUND: {404},
    _CODES.INVALID_ARGUMENT: {400, 413},
    _CODES.RESOURCE_EXHAUSTED: {429, 503},
    _CODES.FAILED_PRECONDITION: {403, 421, 500, 503},
    _CODES.UNAVAILABLE: {503},
    _CODES.DEADLINE_EXCEEDED: {504},
    _CODES.CANCELLED: {499},
    _CODES.INTERNAL: {500},
    _CODES.ALREADY_EXISTS: {409},
    _CODES.UNIMPLEMENTED: {404},
}
# What clients of gRPC try again by themselves.
_TRANSIENT = {_CODES.UNAVAILABLE, _CODES.RESOURCE_EXHAUSTED}


# What one replica or its ticket may be at fault for, as callers of gRPC know it.
_OF_ONE_REPLICA = {
    "UNAVAILABLE",
    "NO_REPLICA",
    "REPLICA_OVERLOADED",
    "REPLICA_DRAINING",
    "TICKET_INVALID",
    "TICKET_EXPIRED",
    "TICKET_WRONG_REPLICA",
    "TICKET_ALREADY_USED",
}


def test_no_number_is_used_twice() -> None:
    # Of two names with one number, an enum makes one member.
    assert len(Reason.__members__) == len(Reason) == len({reason.row.number for reason in Reason})


def test_a_reason_is_its_number_and_is_found_by_it() -> None:
    assert [Reason.by_number(int(reason)) for reason in Reason] == list(Reason)
    assert int(Reason.CALLER_NOT_ALLOWED) == Reason.CALLER_NOT_ALLOWED.value == 32


def test_the_next_ticket_is_for_what_one_replica_or_its_ticket_is_at_fault_for() -> None:
    assert {reason.name for reason in Reason if reason.row.may_try_next_ticket} == _OF_ONE_REPLICA


def test_the_store_knows_reasons_by_their_names_in_lower_case() -> None:
    assert Reason.UNSPECIFIED.sql_name == "none"
    assert Reason.KEY_INVALID.sql_name == "key_invalid"


@pytest.mark.parametrize("reason", list(Reason))
def test_both_doors_tell_the_same_of_a_reason(reason: Reason) -> None:
    public = public_error(reason)
    assert public.status in _BESIDE[STATUS[reason]]
    # A budget is the status of gRPC for quotas, and no wait of a program is as long as a day.
    is_budget = reason.row.code == "insufficient_quota"
    assert (STATUS[reason] in _TRANSIENT) == (reason.row.is_retryable or is_budget)
    # A new ticket is the edge's to get: that is the only difference between the doors.
    assert public.is_retryable == (reason.row.is_retryable or reason.row.retry is Retry.NEW_TICKET)


@pytest.mark.parametrize("reason", list(Reason))
def test_what_sdks_try_again_by_its_status_is_what_may_succeed(reason: Reason) -> None:
    row = reason.row
    if row.retry is not Retry.NEVER:
        assert row.http_status in (429, 503)
    else:
        # The server's own failures carry `x-should-retry: false`; no refusal has a status that SDKs repeat.
        assert (
            row.http_status >= 500
            or row.http_status not in (408, 409, 429)
            or reason is Reason.ALREADY_EXISTS
            # Says `x-should-retry: false` itself.
            or row.code == "insufficient_quota"
        )


@pytest.mark.parametrize("reason", list(Reason))
def test_a_sentence_of_what_can_be_done_ends_what_is_said(reason: Reason) -> None:
    assert reason.row.sentence.endswith(".")
    assert reason.row.code.isidentifier()
    if reason.row.http_status == 503:
        assert "again" in reason.row.sentence
    if reason.row.http_status in (401, 404, 429) and reason is not Reason.NOT_FOUND:
        assert len(reason.row.sentence.split(". ")) + reason.row.sentence.count(":") > 1
