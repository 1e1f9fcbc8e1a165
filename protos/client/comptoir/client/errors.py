"""The one exception of the client: a refusal or failure with a public reason, and what may follow it."""

from collections.abc import Iterable
from typing import Final, Protocol

import grpc
from comptoir.error.v1.error_reason_pb2 import (
    ERROR_REASON_CLIENT_CANCELLED,
    ERROR_REASON_DEADLINE_EXCEEDED,
    ERROR_REASON_INTERNAL,
    ERROR_REASON_NO_REPLICA,
    ERROR_REASON_REQUEST_INVALID,
    ERROR_REASON_REQUEST_TOO_LARGE,
    ERROR_REASON_ROUTE_NOT_FOUND,
    ERROR_REASON_UNAVAILABLE,
    ERROR_REASON_UNSPECIFIED,
    ErrorDetail,
    ErrorReason,
    QuotaDetail,
)
from google.protobuf.message import DecodeError

DETAIL_KEY: Final = "comptoir-error-bin"
_ACCEPTED_KEY: Final = "comptoir-accepted"
_PREFIX: Final = "ERROR_REASON_"
# gRPC has one status for a message over the limit and for a server that is full; only its words differ.
_TOO_LARGE: Final = "message larger than max"

# Nothing of a request has been answered, and the next one may find another connection or another replica.
_UNREACHABLE: Final = ErrorDetail(
    reason=ERROR_REASON_UNAVAILABLE, is_retryable=True, may_try_next_ticket=True
)
_INTERNAL: Final = ErrorDetail(reason=ERROR_REASON_INTERNAL)
# What a status means that came without a detail: from the transport, or from a stranger.
_WITHOUT_DETAIL: Final = {
    grpc.StatusCode.UNAVAILABLE: _UNREACHABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED: ErrorDetail(reason=ERROR_REASON_DEADLINE_EXCEEDED),
    grpc.StatusCode.CANCELLED: ErrorDetail(reason=ERROR_REASON_CLIENT_CANCELLED),
    # The server has as many calls open as it takes.
    grpc.StatusCode.RESOURCE_EXHAUSTED: _UNREACHABLE,
    grpc.StatusCode.UNIMPLEMENTED: ErrorDetail(reason=ERROR_REASON_ROUTE_NOT_FOUND),
    grpc.StatusCode.INVALID_ARGUMENT: ErrorDetail(reason=ERROR_REASON_REQUEST_INVALID),
}
# Servers say what an INTERNAL is of: without that it is of a connection that broke while one stopped.
_OF_TRANSPORT: Final = _WITHOUT_DETAIL | {grpc.StatusCode.INTERNAL: _UNREACHABLE}


class ComptoirError(Exception):
    """Why Comptoir refused or failed a request; its text is the reason's name and nothing else.

    `detail` is what the server said, `code` the gRPC status beside it. A reason that this version
    does not know is to be treated by its status.
    """

    def __init__(self, detail: ErrorDetail, code: grpc.StatusCode) -> None:
        super().__init__(detail, code)
        self.detail = detail
        self.code = code

    def __str__(self) -> str:
        return self.reason_name

    @property
    def reason(self) -> ErrorReason.ValueType:
        """The reason, one of `ErrorReason`, or a number that this version does not know."""
        return self.detail.reason

    @property
    def reason_name(self) -> str:
        """The reason's name in short, such as `TOKENS_EXHAUSTED`."""
        known = ErrorReason.DESCRIPTOR.values_by_number.get(self.reason)
        return str(self.reason) if known is None else known.name.removeprefix(_PREFIX)

    @property
    def is_retryable(self) -> bool:
        """True if the same request may succeed later without a change."""
        return self.detail.is_retryable

    @property
    def may_try_next_ticket(self) -> bool:
        """True if it concerned one replica or its ticket; the client has then tried the other tickets."""
        return self.detail.may_try_next_ticket

    @property
    def retry_after_seconds(self) -> float:
        """How long to wait before a retry; 0 where nothing is known."""
        return self.detail.retry_after_milliseconds / 1000

    @property
    def field(self) -> str:
        """The schema's name of the field that broke a rule; empty where none did."""
        return self.detail.field

    @property
    def limit(self) -> int:
        """The limit that the request ran into, in the unit of the reason; 0 where there is nothing to say."""
        return self.detail.limit

    @property
    def requested(self) -> int:
        """What the request asked for, in the same unit."""
        return self.detail.requested

    @property
    def available(self) -> int:
        """What the request may have of it."""
        return self.detail.available

    @property
    def quota(self) -> QuotaDetail | None:
        """The key's quota at the refusal, where that is the reason."""
        return self.detail.quota if self.detail.HasField("quota") else None


class Failure(Protocol):
    """What the errors of both of gRPC's interfaces say."""

    def code(self) -> grpc.StatusCode:
        """Returns the status."""
        ...

    def details(self) -> str | None:
        """Returns the status's words."""
        ...

    def initial_metadata(self) -> Iterable[tuple[str, str | bytes]] | None:
        """Returns the headers."""
        ...

    def trailing_metadata(self) -> Iterable[tuple[str, str | bytes]] | None:
        """Returns what came with the status."""
        ...


def was_accepted(failure: Failure) -> bool:
    """Returns True if a replica took the ticket of a whole answer before the call failed."""
    return any(key == _ACCEPTED_KEY for key, _ in failure.initial_metadata() or ())


def is_unknown_method(failure: Failure) -> bool:
    """Returns True if a server has no such method, so that it used no ticket up: it is an older one."""
    # Said by gRPC itself, and so without a detail.
    has_detail = any(key == DETAIL_KEY for key, _ in failure.trailing_metadata() or ())
    return failure.code() is grpc.StatusCode.UNIMPLEMENTED and not has_detail


def error_from(failure: Failure, *, is_cancelled_here: bool = False) -> ComptoirError:
    """Returns the error that a failed call carries; the status decides where there is no readable detail.

    A call that ends as cancelled while nobody here cancelled it was ended by a server that stops.
    """
    detail = _detail_of(failure)
    if detail.reason == ERROR_REASON_CLIENT_CANCELLED and not is_cancelled_here:
        detail = _UNREACHABLE
    return ComptoirError(detail, failure.code())


def is_said(failure: Failure) -> bool:
    """Returns whether a process said why, in place of which another one may be asked."""
    return error_from(failure).reason not in {ERROR_REASON_UNAVAILABLE, ERROR_REASON_DEADLINE_EXCEEDED}


def admission_error_from(failure: Failure, *, is_late: bool, is_cancelled_here: bool) -> ComptoirError:
    """Returns the error of a failed admission; `is_late` says that the caller's own time was over."""
    error = error_from(failure, is_cancelled_here=is_cancelled_here)
    return unreachable() if error.reason == ERROR_REASON_DEADLINE_EXCEEDED and not is_late else error


def cancelled() -> ComptoirError:
    """Returns the error of a request that its caller cancelled."""
    return ComptoirError(ErrorDetail(reason=ERROR_REASON_CLIENT_CANCELLED), grpc.StatusCode.CANCELLED)


def unreachable() -> ComptoirError:
    """Returns the error of a process that does not answer, or that may not be called."""
    return ComptoirError(_UNREACHABLE, grpc.StatusCode.UNAVAILABLE)


def no_replica() -> ComptoirError:
    """Returns the error of an admission without an offer."""
    detail = ErrorDetail(reason=ERROR_REASON_NO_REPLICA, is_retryable=True)
    return ComptoirError(detail, grpc.StatusCode.UNAVAILABLE)


def out_of_protocol() -> ComptoirError:
    """Returns the error of a replica that answers something else than the schema says."""
    return ComptoirError(_INTERNAL, grpc.StatusCode.INTERNAL)


def _detail_of(failure: Failure) -> ErrorDetail:
    by_status = _OF_TRANSPORT
    for key, value in failure.trailing_metadata() or ():
        if key == DETAIL_KEY and isinstance(value, bytes):
            by_status = _WITHOUT_DETAIL
            try:
                detail = ErrorDetail.FromString(value)
            except DecodeError:
                break
            if detail.reason != ERROR_REASON_UNSPECIFIED:
                return detail
    code = failure.code()
    if code is grpc.StatusCode.RESOURCE_EXHAUSTED and _TOO_LARGE in (failure.details() or ""):
        return ErrorDetail(reason=ERROR_REASON_REQUEST_TOO_LARGE)
    return by_status.get(code, _INTERNAL)
