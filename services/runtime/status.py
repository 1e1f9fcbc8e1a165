"""The one table from a reason to a gRPC status, and both ways between errors and trailing metadata."""

import grpc
from comptoir.error.v1.error_reason_pb2 import ErrorDetail
from google.protobuf.message import DecodeError

from services.runtime.errors import ComptoirError, Reason

DETAIL_KEY = "comptoir-error-bin"

STATUS: dict[Reason, grpc.StatusCode] = {
    Reason.UNSPECIFIED: grpc.StatusCode.UNKNOWN,
    Reason.KEY_INVALID: grpc.StatusCode.UNAUTHENTICATED,
    Reason.KEY_EXPIRED: grpc.StatusCode.UNAUTHENTICATED,
    Reason.TENANT_DISABLED: grpc.StatusCode.PERMISSION_DENIED,
    Reason.MODEL_NOT_FOUND: grpc.StatusCode.NOT_FOUND,
    Reason.REQUEST_INVALID: grpc.StatusCode.INVALID_ARGUMENT,
    Reason.REQUEST_TOO_LARGE: grpc.StatusCode.INVALID_ARGUMENT,
    Reason.CONTEXT_TOO_LONG: grpc.StatusCode.INVALID_ARGUMENT,
    Reason.PARAMETER_UNSUPPORTED: grpc.StatusCode.INVALID_ARGUMENT,
    Reason.REQUESTS_EXHAUSTED: grpc.StatusCode.RESOURCE_EXHAUSTED,
    Reason.TOKENS_EXHAUSTED: grpc.StatusCode.RESOURCE_EXHAUSTED,
    Reason.CONCURRENCY_EXHAUSTED: grpc.StatusCode.RESOURCE_EXHAUSTED,
    Reason.REGION_NOT_ALLOWED: grpc.StatusCode.FAILED_PRECONDITION,
    Reason.NO_REPLICA: grpc.StatusCode.UNAVAILABLE,
    Reason.REPLICA_OVERLOADED: grpc.StatusCode.RESOURCE_EXHAUSTED,
    Reason.REPLICA_DRAINING: grpc.StatusCode.UNAVAILABLE,
    Reason.TICKET_INVALID: grpc.StatusCode.PERMISSION_DENIED,
    Reason.TICKET_EXPIRED: grpc.StatusCode.FAILED_PRECONDITION,
    Reason.TICKET_WRONG_REPLICA: grpc.StatusCode.FAILED_PRECONDITION,
    Reason.TICKET_ALREADY_USED: grpc.StatusCode.FAILED_PRECONDITION,
    Reason.TICKET_LIMIT_EXCEEDED: grpc.StatusCode.FAILED_PRECONDITION,
    Reason.DEADLINE_EXCEEDED: grpc.StatusCode.DEADLINE_EXCEEDED,
    Reason.CLIENT_CANCELLED: grpc.StatusCode.CANCELLED,
    Reason.ENGINE_FAILED: grpc.StatusCode.UNAVAILABLE,
    Reason.USAGE_NOT_RECORDED: grpc.StatusCode.UNAVAILABLE,
    Reason.SPOOL_FULL: grpc.StatusCode.RESOURCE_EXHAUSTED,
    Reason.UNAVAILABLE: grpc.StatusCode.UNAVAILABLE,
    Reason.NOT_FOUND: grpc.StatusCode.NOT_FOUND,
    Reason.ALREADY_EXISTS: grpc.StatusCode.ALREADY_EXISTS,
    Reason.INTERNAL: grpc.StatusCode.INTERNAL,
    Reason.ROUTE_NOT_FOUND: grpc.StatusCode.UNIMPLEMENTED,
}

RETRYABLE = frozenset(
    {
        Reason.REQUESTS_EXHAUSTED,
        Reason.TOKENS_EXHAUSTED,
        Reason.CONCURRENCY_EXHAUSTED,
        Reason.NO_REPLICA,
        Reason.REPLICA_OVERLOADED,
        Reason.REPLICA_DRAINING,
        Reason.ENGINE_FAILED,
        Reason.USAGE_NOT_RECORDED,
        Reason.SPOOL_FULL,
        Reason.UNAVAILABLE,
    }
)

# What a caller makes of a status that came without a detail: from the transport, or from a stranger.
_WITHOUT_DETAIL: dict[grpc.StatusCode, Reason] = {
    grpc.StatusCode.UNAVAILABLE: Reason.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED: Reason.DEADLINE_EXCEEDED,
    grpc.StatusCode.CANCELLED: Reason.CLIENT_CANCELLED,
    # The server has as many calls open as it takes.
    grpc.StatusCode.RESOURCE_EXHAUSTED: Reason.UNAVAILABLE,
    grpc.StatusCode.UNIMPLEMENTED: Reason.ROUTE_NOT_FOUND,
}

# gRPC has one status for a message over the limit and for a server that is full; only its words differ.
_TOO_LARGE = "message larger than max"


def trailing_metadata(error: ComptoirError) -> tuple[tuple[str, bytes], ...]:
    """The metadata that carries `error` to the caller."""
    detail = ErrorDetail(
        reason=int(error.reason),  # type: ignore[arg-type] # the enum's stub type is nominal
        is_retryable=error.reason in RETRYABLE,
        retry_after_milliseconds=min(round(error.retry_after_seconds * 1000), 2**32 - 1),
        field=error.field,
    )
    return ((DETAIL_KEY, detail.SerializeToString()),)


def error_from(failure: grpc.aio.AioRpcError) -> ComptoirError:
    """The error that a failed call carries; the status decides where there is no readable detail."""
    for key, value in failure.trailing_metadata() or ():
        if key == DETAIL_KEY and isinstance(value, bytes):
            try:
                detail = ErrorDetail.FromString(value)
                reason = Reason(detail.reason)
            except (DecodeError, ValueError):
                break
            after_seconds = detail.retry_after_milliseconds / 1000
            return ComptoirError(reason, field=detail.field, retry_after_seconds=after_seconds)
    if failure.code() is grpc.StatusCode.RESOURCE_EXHAUSTED and _TOO_LARGE in (failure.details() or ""):
        return ComptoirError(Reason.REQUEST_TOO_LARGE)
    return ComptoirError(_WITHOUT_DETAIL.get(failure.code(), Reason.INTERNAL))
