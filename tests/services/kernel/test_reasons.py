"""One row for each reason, and the two doors that read it agree on what it means."""

import grpc
import pytest

from services.edge.domain.openai.errors import public_error
from services.kernel.errors import Reason
from services.kernel.reasons import MAY_TRY_NEXT_TICKET, RETRYABLE, ROWS, Retry
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
    _CODES.FAILED_PRECONDITION: {403, 500, 503},
    _CODES.UNAVAILABLE: {503},
    _CODES.DEADLINE_EXCEEDED: {504},
    _CODES.CANCELLED: {499},
    _CODES.INTERNAL: {500},
    _CODES.ALREADY_EXISTS: {409},
    _CODES.UNIMPLEMENTED: {404},
}
# What clients of gRPC try again by themselves.
_TRANSIENT = {_CODES.UNAVAILABLE, _CODES.RESOURCE_EXHAUSTED}


def test_every_reason_has_one_row() -> None:
    assert set(ROWS) == set(Reason)


@pytest.mark.parametrize("reason", list(Reason))
def test_both_doors_tell_the_same_of_a_reason(reason: Reason) -> None:
    public = public_error(reason)
    assert public.status in _BESIDE[STATUS[reason]]
    assert (STATUS[reason] in _TRANSIENT) == (reason in RETRYABLE)
    # A new ticket is the edge's to get: that is the only difference between the doors.
    assert public.is_retryable == (reason in RETRYABLE or ROWS[reason].retry is Retry.NEW_TICKET)


@pytest.mark.parametrize("reason", list(Reason))
def test_what_sdks_try_again_by_its_status_is_what_may_succeed(reason: Reason) -> None:
    row = ROWS[reason]
    if row.retry is not Retry.NEVER:
        assert row.http_status in (429, 503)
    else:
        # The server's own failures carry `x-should-retry: false`; no refusal has a status that SDKs repeat.
        assert (
            row.http_status >= 500
            or row.http_status not in (408, 409, 429)
            or reason is Reason.ALREADY_EXISTS
        )


@pytest.mark.parametrize("reason", list(Reason))
def test_a_sentence_of_what_can_be_done_ends_what_is_said(reason: Reason) -> None:
    assert ROWS[reason].sentence.endswith(".")
    assert ROWS[reason].code.isidentifier()
    if ROWS[reason].http_status == 503:
        assert "again" in ROWS[reason].sentence
    if ROWS[reason].http_status in (401, 404, 429) and reason is not Reason.NOT_FOUND:
        assert len(ROWS[reason].sentence.split(". ")) + ROWS[reason].sentence.count(":") > 1


def test_the_next_ticket_is_for_failures_of_one_replica_and_never_for_a_request_that_breaks_engines() -> None:
    assert {
        Reason.UNAVAILABLE,
        Reason.NO_REPLICA,
        Reason.REPLICA_OVERLOADED,
        Reason.REPLICA_DRAINING,
        Reason.TICKET_INVALID,
        Reason.TICKET_EXPIRED,
        Reason.TICKET_WRONG_REPLICA,
        Reason.TICKET_ALREADY_USED,
    } == MAY_TRY_NEXT_TICKET
