"""The client reads errors as the edge does, and needs no table of reasons."""

import pickle

import grpc
import pytest
from comptoir.client import ComptoirError, ErrorReason
from comptoir.client.errors import admission_error_from, error_from
from comptoir.error.v1.error_reason_pb2 import ErrorDetail
from grpc.aio import AioRpcError, Metadata
from hypothesis import given
from hypothesis import strategies as st

from services.kernel.errors import ComptoirError as Refusal
from services.kernel.errors import Numbers, Reason
from services.kernel.quota import QuotaState
from services.runtime.grpc import status

CODES = [code for code in grpc.StatusCode if code is not grpc.StatusCode.OK]
SENT = [reason for reason in Reason if reason is not Reason.UNSPECIFIED]


def failure(code: grpc.StatusCode, *trailing: tuple[str, bytes], details: str | None = None) -> AioRpcError:
    return AioRpcError(code, Metadata(), Metadata(*trailing), details=details)


def sent(refusal: Refusal) -> AioRpcError:
    return failure(status.STATUS[refusal.reason], *status.trailing_metadata(refusal))


def detail_of(content: ErrorDetail) -> tuple[str, bytes]:
    return (status.DETAIL_KEY, content.SerializeToString())


@given(
    reason=st.sampled_from(SENT),
    field=st.text(alphabet="abc_.", max_size=30),
    after=st.integers(0, 4_000_000),
    numbers=st.builds(Numbers, *[st.integers(0, 2**64 - 1)] * 3),
)
def test_what_a_server_says_arrives(reason: Reason, field: str, after: int, numbers: Numbers) -> None:
    refusal = Refusal(reason, field=field, retry_after_seconds=after / 1000, numbers=numbers)
    got = error_from(sent(refusal), is_cancelled_here=True)
    assert (got.reason, got.reason_name, str(got)) == (int(reason), reason.name, reason.name)
    assert (got.field, got.limit, got.requested, got.available) == (
        field,
        numbers.limit,
        numbers.requested,
        numbers.available,
    )
    assert got.retry_after_seconds == pytest.approx(after / 1000)
    assert got.may_try_next_ticket == reason.row.may_try_next_ticket
    assert got.code is status.STATUS[reason]
    assert got.quota is None


def test_a_quota_arrives_where_it_is_the_reason() -> None:
    quota = QuotaState(60, 0, 1000, 900, 30.0, 0.5)
    got = error_from(sent(Refusal(Reason.REQUESTS_EXHAUSTED, quota=quota)))
    assert got.quota is not None
    assert (got.quota.limit_requests, got.quota.remaining_requests) == (60, 0)
    assert got.quota.reset_requests_milliseconds == 30_000


@given(
    code=st.sampled_from(CODES), details=st.sampled_from(["", "Received message larger than max (9 vs. 4)"])
)
def test_a_status_without_a_detail_means_what_it_means_to_the_edge(
    code: grpc.StatusCode, details: str
) -> None:
    told = failure(code, details=details)
    got, edges = error_from(told, is_cancelled_here=True), status.error_from(told)
    assert got.reason_name == edges.reason.name
    assert got.may_try_next_ticket == edges.reason.row.may_try_next_ticket


@given(content=st.binary(max_size=40), code=st.sampled_from(CODES))
def test_a_detail_of_a_stranger_never_breaks_the_caller(content: bytes, code: grpc.StatusCode) -> None:
    assert error_from(failure(code, (status.DETAIL_KEY, content))).reason_name


def test_a_reason_of_a_later_version_keeps_its_number_and_what_may_follow() -> None:
    newer = ErrorDetail.FromString(b"\x08\xff\x03")
    newer.may_try_next_ticket = newer.is_retryable = True
    got = error_from(failure(grpc.StatusCode.UNAVAILABLE, detail_of(newer)))
    assert (got.reason, got.reason_name, got.code) == (511, "511", grpc.StatusCode.UNAVAILABLE)
    assert got.may_try_next_ticket
    assert got.is_retryable


@pytest.mark.parametrize("told", [sent(Refusal(Reason.CLIENT_CANCELLED)), failure(grpc.StatusCode.CANCELLED)])
def test_a_call_that_nobody_here_cancelled_was_ended_by_a_server_that_stops(told: AioRpcError) -> None:
    assert error_from(told).reason == ErrorReason.ERROR_REASON_UNAVAILABLE
    assert error_from(told).may_try_next_ticket
    ours = error_from(told, is_cancelled_here=True)
    assert ours.reason == ErrorReason.ERROR_REASON_CLIENT_CANCELLED
    assert not ours.may_try_next_ticket


def test_a_late_router_is_out_of_reach_and_a_late_caller_is_late() -> None:
    told = failure(grpc.StatusCode.DEADLINE_EXCEEDED)
    router, caller = (
        admission_error_from(told, is_late=is_late, is_cancelled_here=False) for is_late in (False, True)
    )
    assert (router.reason, caller.reason) == (
        ErrorReason.ERROR_REASON_UNAVAILABLE,
        ErrorReason.ERROR_REASON_DEADLINE_EXCEEDED,
    )


def test_an_error_crosses_processes() -> None:
    error = error_from(sent(Refusal(Reason.TOKENS_EXHAUSTED, numbers=Numbers(5, 6, 7))))
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    assert isinstance(copy, ComptoirError)
    assert (copy.detail, copy.code) == (error.detail, error.code)
