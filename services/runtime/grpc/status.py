"""Reasons as gRPC statuses, and both ways between errors and trailing metadata."""

import grpc
from comptoir.error.v1 import error_reason_pb2
from comptoir.error.v1.error_reason_pb2 import ErrorDetail
from google.protobuf.message import DecodeError

from services.kernel.errors import ComptoirError, Numbers, Reason
from services.kernel.quota import QuotaState

DETAIL_KEY = "comptoir-error-bin"
_MAX_UINT32 = 2**32 - 1

STATUS: dict[Reason, grpc.StatusCode] = {reason: grpc.StatusCode[reason.row.grpc_status] for reason in Reason}

# What a caller makes of a status that came without a detail: from the transport, or from a stranger.
_WITHOUT_DETAIL: dict[grpc.StatusCode, Reason] = {
    grpc.StatusCode.UNAVAILABLE: Reason.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED: Reason.DEADLINE_EXCEEDED,
    grpc.StatusCode.CANCELLED: Reason.CLIENT_CANCELLED,
    # The server has as many calls open as it takes.
    grpc.StatusCode.RESOURCE_EXHAUSTED: Reason.UNAVAILABLE,
    grpc.StatusCode.UNIMPLEMENTED: Reason.ROUTE_NOT_FOUND,
    # A reason of a later version: what it is about is the request, and no failure of the service.
    grpc.StatusCode.INVALID_ARGUMENT: Reason.REQUEST_INVALID,
}

# gRPC has one status for a message over the limit and for a server that is full; only its words differ.
_TOO_LARGE = "message larger than max"


def trailing_metadata(error: ComptoirError) -> tuple[tuple[str, bytes], ...]:
    """The metadata that carries `error` to the caller."""
    row = error.reason.row
    detail = ErrorDetail(
        reason=row.number,  # type: ignore[arg-type] # the enum's stub type is nominal
        is_retryable=row.is_retryable,
        may_try_next_ticket=row.may_try_next_ticket,
        retry_after_milliseconds=_milliseconds(error.retry_after_seconds),
        field=error.field,
        limit=error.numbers.limit,
        requested=error.numbers.requested,
        available=error.numbers.available,
        quota=None if error.quota is None else _quota_detail(error.quota),
    )
    return ((DETAIL_KEY, detail.SerializeToString()),)


def error_from(failure: grpc.aio.AioRpcError) -> ComptoirError:
    """The error that a failed call carries; the status decides where there is no readable detail."""
    for key, value in failure.trailing_metadata() or ():
        if key == DETAIL_KEY and isinstance(value, bytes):
            try:
                detail = ErrorDetail.FromString(value)
            except DecodeError:
                break
            if (reason := _reason_of(detail)) is None:
                break
            return _error_of(reason, detail)
    if failure.code() is grpc.StatusCode.RESOURCE_EXHAUSTED and _TOO_LARGE in (failure.details() or ""):
        return ComptoirError(Reason.REQUEST_TOO_LARGE)
    return ComptoirError(_WITHOUT_DETAIL.get(failure.code(), Reason.INTERNAL))


def _reason_of(detail: ErrorDetail) -> Reason | None:
    try:
        return Reason.by_number(detail.reason)
    except ValueError:
        # A reason of a later version. Where one replica is at fault, a replica out of reach is treated alike.
        return Reason.UNAVAILABLE if detail.may_try_next_ticket else None


def _error_of(reason: Reason, detail: ErrorDetail) -> ComptoirError:
    return ComptoirError(
        reason,
        field=detail.field,
        retry_after_seconds=detail.retry_after_milliseconds / 1000,
        numbers=Numbers(detail.limit, detail.requested, detail.available),
        quota=_quota_from(detail.quota) if detail.HasField("quota") else None,
    )


def _quota_detail(quota: QuotaState) -> error_reason_pb2.QuotaDetail:
    return error_reason_pb2.QuotaDetail(
        limit_requests=quota.limit_requests,
        remaining_requests=quota.remaining_requests,
        limit_tokens=quota.limit_tokens,
        remaining_tokens=quota.remaining_tokens,
        reset_requests_milliseconds=_milliseconds(quota.reset_requests_seconds),
        reset_tokens_milliseconds=_milliseconds(quota.reset_tokens_seconds),
    )


def _quota_from(quota: error_reason_pb2.QuotaDetail) -> QuotaState:
    return QuotaState(
        limit_requests=quota.limit_requests,
        remaining_requests=quota.remaining_requests,
        limit_tokens=quota.limit_tokens,
        remaining_tokens=quota.remaining_tokens,
        reset_requests_seconds=quota.reset_requests_milliseconds / 1000,
        reset_tokens_seconds=quota.reset_tokens_milliseconds / 1000,
    )


def _milliseconds(seconds: float) -> int:
    return min(round(seconds * 1000), _MAX_UINT32)
