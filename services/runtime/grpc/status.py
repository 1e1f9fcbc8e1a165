"""Reasons as gRPC statuses, and both ways between errors and trailing metadata."""

from typing import Final

import grpc
from comptoir.error.v1.error_reason_pb2 import ErrorDetail
from google.protobuf.message import DecodeError
from google.rpc.status_pb2 import Status

from services.kernel.errors import ComptoirError, Reason
from services.runtime.grpc.error_details import detail_from, error_of, public_details_from

DETAIL_KEY: Final = "comptoir-error-bin"
# Where every library of gRPC looks for a `google.rpc.Status`.
STATUS_KEY: Final = "grpc-status-details-bin"

STATUS: Final[dict[Reason, grpc.StatusCode]] = {
    reason: grpc.StatusCode[reason.row.grpc_status] for reason in Reason
}

# What a caller makes of a status that came without a detail: from the transport, or from a stranger.
_WITHOUT_DETAIL: Final = {
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
_TOO_LARGE: Final = "message larger than max"
# Our processes say what an INTERNAL is of: without that it is of a connection that broke.
_OF_TRANSPORT: Final = _WITHOUT_DETAIL | {grpc.StatusCode.INTERNAL: Reason.UNAVAILABLE}


def trailing_metadata(error: ComptoirError, message: str = "") -> tuple[tuple[str, bytes], ...]:
    """Returns what carries `error` to the caller; `message` is that of the call if not the reason's name."""
    # Readers refuse a `Status` whose code and message are not those of the call.
    status = Status(
        code=STATUS[error.reason].value[0],
        message=message or error.reason.name,
        details=public_details_from(error),
    )
    return (
        (DETAIL_KEY, detail_from(error).SerializeToString()),
        (STATUS_KEY, status.SerializeToString()),
    )


def error_from(failure: grpc.aio.AioRpcError) -> ComptoirError:
    """Returns the error that a failed call carries; the status decides where there is no readable detail."""
    by_status = _OF_TRANSPORT
    for key, value in failure.trailing_metadata() or ():
        if key == DETAIL_KEY and isinstance(value, bytes):
            error = _read(value)
            if error is not None:
                return error
            by_status = _WITHOUT_DETAIL
            break
    if failure.code() is grpc.StatusCode.RESOURCE_EXHAUSTED and _TOO_LARGE in (failure.details() or ""):
        return ComptoirError(Reason.REQUEST_TOO_LARGE)
    return ComptoirError(by_status.get(failure.code(), Reason.INTERNAL))


def _read(content: bytes) -> ComptoirError | None:
    try:
        return error_of(ErrorDetail.FromString(content))
    except DecodeError:
        return None
