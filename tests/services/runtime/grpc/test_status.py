"""Reasons become statuses and come back; what a stranger says is not repeated."""

import grpc
import pytest
from comptoir.error.v1.error_reason_pb2 import ErrorDetail
from grpc.aio import AioRpcError, Metadata
from hypothesis import given
from hypothesis import strategies as st

from services.kernel.errors import ComptoirError, Numbers, Reason
from services.kernel.quota import QuotaState
from services.runtime.grpc.status import DETAIL_KEY, STATUS, error_from, trailing_metadata


def failure(
    code: grpc.StatusCode, trailing: Metadata | None = None, details: str | None = None
) -> AioRpcError:
    return AioRpcError(code, Metadata(), trailing if trailing is not None else Metadata(), details=details)


def test_every_reason_has_a_status_and_none_is_ok() -> None:
    assert set(STATUS) == set(Reason)
    assert grpc.StatusCode.OK not in STATUS.values()


@given(
    reason=st.sampled_from(Reason),
    field=st.text(alphabet="abc_.", max_size=30),
    after=st.integers(0, 4_000_000),
    numbers=st.builds(Numbers, *[st.integers(0, 2**64 - 1)] * 3),
    quota=st.none() | st.builds(QuotaState, *[st.integers(0, 2**32 - 1)] * 4, st.just(1.5), st.just(0.25)),
)
def test_an_error_travels_and_comes_back_the_same(
    reason: Reason, field: str, after: int, numbers: Numbers, quota: QuotaState | None
) -> None:
    sent = ComptoirError(reason, field=field, retry_after_seconds=after / 1000, numbers=numbers, quota=quota)
    got = error_from(failure(STATUS[reason], Metadata(*trailing_metadata(sent))))
    assert (got.reason, got.field, got.numbers, got.quota) == (reason, field, numbers, quota)
    assert got.retry_after_seconds == pytest.approx(after / 1000)


@pytest.mark.parametrize("reason", list(Reason))
def test_a_caller_is_told_what_it_may_do_and_needs_no_table(reason: Reason) -> None:
    detail = ErrorDetail.FromString(dict(trailing_metadata(ComptoirError(reason)))[DETAIL_KEY])
    assert detail.is_retryable == reason.row.is_retryable
    assert detail.may_try_next_ticket == reason.row.may_try_next_ticket


def test_an_endless_wait_is_cut_to_what_the_schema_holds() -> None:
    metadata = trailing_metadata(ComptoirError(Reason.UNAVAILABLE, retry_after_seconds=1e12))
    assert ErrorDetail.FromString(dict(metadata)[DETAIL_KEY]).retry_after_milliseconds == 2**32 - 1


@given(content=st.binary(max_size=40), code=st.sampled_from(list(grpc.StatusCode)))
def test_a_detail_of_a_stranger_never_breaks_the_caller(content: bytes, code: grpc.StatusCode) -> None:
    got = error_from(failure(code, Metadata((DETAIL_KEY, content))))
    assert isinstance(got.reason, Reason)


@pytest.mark.parametrize(
    ("code", "details", "reason"),
    [
        (grpc.StatusCode.UNAVAILABLE, "connection refused", Reason.UNAVAILABLE),
        (grpc.StatusCode.DEADLINE_EXCEEDED, None, Reason.DEADLINE_EXCEEDED),
        (grpc.StatusCode.CANCELLED, None, Reason.CLIENT_CANCELLED),
        (grpc.StatusCode.UNIMPLEMENTED, None, Reason.ROUTE_NOT_FOUND),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, "Concurrent RPC limit exceeded!", Reason.UNAVAILABLE),
        (
            grpc.StatusCode.RESOURCE_EXHAUSTED,
            "SERVER: Received message larger than max (9 vs. 4)",
            Reason.REQUEST_TOO_LARGE,
        ),
        (grpc.StatusCode.INTERNAL, "GOAWAY received; Error code: 2", Reason.UNAVAILABLE),
        (grpc.StatusCode.UNKNOWN, "what the canary sang", Reason.INTERNAL),
    ],
)
def test_without_a_detail_the_status_decides(
    code: grpc.StatusCode, details: str | None, reason: Reason
) -> None:
    got = error_from(failure(code, details=details))
    assert got.reason is reason
    assert "canary" not in str(got) + got.field


def test_a_reason_of_a_newer_schema_may_pass_to_the_next_ticket_whatever_its_status() -> None:
    newer = ErrorDetail.FromString(b"\x08\xff\x03\x48\x01")
    assert newer.may_try_next_ticket
    got = error_from(
        failure(grpc.StatusCode.FAILED_PRECONDITION, Metadata((DETAIL_KEY, newer.SerializeToString())))
    )
    assert got.reason.row.may_try_next_ticket


def test_a_reason_of_a_newer_schema_falls_back_to_the_status() -> None:
    newer = ErrorDetail.FromString(b"\x08\xff\x03").SerializeToString()
    got = error_from(failure(grpc.StatusCode.UNAVAILABLE, Metadata((DETAIL_KEY, newer))))
    assert got.reason is Reason.UNAVAILABLE
    refused = error_from(failure(grpc.StatusCode.INVALID_ARGUMENT, Metadata((DETAIL_KEY, newer))))
    assert refused.reason is Reason.REQUEST_INVALID
