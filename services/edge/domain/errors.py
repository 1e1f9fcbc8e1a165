"""The one table from a reason to what an OpenAI client sees; nothing of the request is in any of it."""

import json
import math
from dataclasses import dataclass
from types import MappingProxyType

from services.edge.domain.parameters import expectation, public_name
from services.runtime.errors import ComptoirError, Reason

_REQUEST = "invalid_request_error"
_SERVER = "server_error"
# Where nobody knows when a retry may succeed.
_UNKNOWN_WAIT_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class PublicError:
    """A failure as a client sees it; `code` is the word that programs branch on."""

    status: int
    type: str
    code: str
    message: str
    # True if the same request may succeed later without a change by the caller.
    is_retryable: bool = False


def _server(code: str, message: str, *, status: int = 503, is_retryable: bool = True) -> PublicError:
    return PublicError(status, _SERVER, code, message, is_retryable=is_retryable)


_INTERNAL = _server(
    "internal_error",
    "The server failed. Give the x-request-id of this answer to the operator.",
    status=500,
    is_retryable=False,
)
_TICKET = "The permission for the replica was not accepted. Send the request again."

PUBLIC_ERRORS = MappingProxyType(
    {
        Reason.UNSPECIFIED: _INTERNAL,
        Reason.KEY_INVALID: PublicError(
            401, _REQUEST, "invalid_api_key", "The API key is missing, unknown or revoked."
        ),
        Reason.KEY_EXPIRED: PublicError(401, _REQUEST, "invalid_api_key", "The API key has expired."),
        Reason.TENANT_DISABLED: PublicError(
            403, _REQUEST, "tenant_disabled", "The tenant of this API key is disabled."
        ),
        Reason.MODEL_NOT_FOUND: PublicError(
            404, _REQUEST, "model_not_found", "The model does not exist, or this API key may not use it."
        ),
        Reason.REQUEST_INVALID: PublicError(
            400,
            _REQUEST,
            "invalid_value",
            "The body must be one JSON object in UTF-8, without repeated keys and not deeply nested.",
        ),
        Reason.REQUEST_TOO_LARGE: PublicError(
            413, _REQUEST, "request_too_large", "The request is larger than the server accepts."
        ),
        Reason.CONTEXT_TOO_LONG: PublicError(
            400,
            _REQUEST,
            "context_length_exceeded",
            "The messages and the requested output do not fit the model's context.",
        ),
        Reason.PARAMETER_UNSUPPORTED: PublicError(
            400, _REQUEST, "unsupported_parameter", "A parameter of the request is not supported."
        ),
        Reason.REQUESTS_EXHAUSTED: PublicError(
            429,
            "requests",
            "rate_limit_exceeded",
            "The API key has used its requests per minute.",
            is_retryable=True,
        ),
        Reason.TOKENS_EXHAUSTED: PublicError(
            429,
            "tokens",
            "rate_limit_exceeded",
            "The API key has used its tokens per minute.",
            is_retryable=True,
        ),
        Reason.CONCURRENCY_EXHAUSTED: PublicError(
            429,
            "requests",
            "rate_limit_exceeded",
            "The API key has as many requests in flight as it may.",
            is_retryable=True,
        ),
        Reason.REGION_NOT_ALLOWED: PublicError(
            403, _REQUEST, "region_not_allowed", "No region may serve this request."
        ),
        Reason.NO_REPLICA: _server("no_replica", "No replica of the model is ready."),
        Reason.REPLICA_OVERLOADED: _server("replica_overloaded", "The model is busy."),
        Reason.REPLICA_DRAINING: _server("replica_draining", "The replica is stopping."),
        Reason.TICKET_INVALID: _server("ticket_invalid", _TICKET, status=500, is_retryable=False),
        Reason.TICKET_EXPIRED: _server("ticket_expired", _TICKET),
        Reason.TICKET_WRONG_REPLICA: _server("ticket_wrong_replica", _TICKET),
        Reason.TICKET_ALREADY_USED: _server("ticket_already_used", _TICKET),
        Reason.TICKET_LIMIT_EXCEEDED: _server(
            "ticket_limit_exceeded",
            "The request needs more than was reserved for it.",
            status=500,
            is_retryable=False,
        ),
        Reason.DEADLINE_EXCEEDED: _server(
            "deadline_exceeded", "The answer took longer than permitted.", status=504, is_retryable=False
        ),
        Reason.CLIENT_CANCELLED: _server(
            "client_cancelled", "The request was cancelled.", status=499, is_retryable=False
        ),
        # Not retryable here: a request that breaks an engine would break the next one too.
        Reason.ENGINE_FAILED: _server("engine_failed", "The engine failed.", status=500, is_retryable=False),
        Reason.USAGE_NOT_RECORDED: _server(
            "usage_not_recorded", "The request's usage could not be recorded in time."
        ),
        Reason.SPOOL_FULL: _server("spool_full", "The request's usage cannot be recorded now."),
        Reason.UNAVAILABLE: _server("unavailable", "A part of the service cannot be reached."),
        Reason.NOT_FOUND: PublicError(404, _REQUEST, "not_found", "There is no such resource."),
        Reason.ALREADY_EXISTS: PublicError(409, _REQUEST, "already_exists", "The resource exists."),
        Reason.INTERNAL: _INTERNAL,
        Reason.ROUTE_NOT_FOUND: PublicError(
            404, _REQUEST, "route_not_found", "This method and path are not served."
        ),
    }
)

METHOD_NOT_ALLOWED = PublicError(405, _REQUEST, "method_not_allowed", "The path does not take this method.")
HEADERS_TOO_LARGE = PublicError(
    431, _REQUEST, "headers_too_large", "The headers are larger than the server accepts."
)
BODY_TOO_SLOW = PublicError(408, _REQUEST, "body_too_slow", "The body did not arrive in time.")
REQUEST_MALFORMED = PublicError(400, _REQUEST, "malformed_http", "The request is not valid HTTP.")


def public_error(reason: Reason) -> PublicError:
    """What a client sees of `reason`."""
    return PUBLIC_ERRORS[reason]


def error_json(error: ComptoirError) -> bytes:
    """The body `{"error": {message, type, param, code}}` of a refusal or failure."""
    public = public_error(error.reason)
    param = public_name(error.field)
    message = public.message
    if error.reason is Reason.CONTEXT_TOO_LONG:
        param = "messages"
    elif error.reason is Reason.MODEL_NOT_FOUND:
        param = "model"
    elif param and error.reason is Reason.REQUEST_INVALID:
        message = f"Invalid '{param}': expected {expectation(param)}."
    elif param and error.reason is Reason.PARAMETER_UNSUPPORTED:
        message = f"Unsupported '{param}': expected {expectation(param)}."
    return public_json(public, message=message, param=param)


def public_json(public: PublicError, *, message: str = "", param: str | None = None) -> bytes:
    """The body of a public error, with its own message unless another is given."""
    body = {"message": message or public.message, "type": public.type, "param": param, "code": public.code}
    return json.dumps({"error": body}, ensure_ascii=False, separators=(",", ":")).encode()


def retry_headers(
    public: PublicError, *, retry_after_seconds: float, is_spent: bool
) -> list[tuple[bytes, bytes]]:
    """The headers that tell an SDK whether and when to try again.

    `is_spent` says that the edge has tried other replicas itself: the SDK's tries on top would
    multiply load just when there is too much of it.
    """
    if is_spent or (not public.is_retryable and public.status >= 500):  # noqa: PLR2004 - server's fault
        return [(b"x-should-retry", b"false")]
    if not public.is_retryable:
        return []
    seconds = retry_after_seconds or _UNKNOWN_WAIT_SECONDS
    return [
        (b"retry-after", b"%d" % math.ceil(seconds)),
        (b"retry-after-ms", b"%d" % math.ceil(seconds * 1000)),
        (b"x-should-retry", b"true"),
    ]
