"""One row for each reason: how it shows over gRPC, over HTTP and to a person; both doors read it here."""

from dataclasses import dataclass, replace
from enum import Enum
from types import MappingProxyType
from typing import Final

from services.kernel.errors import Reason


class Retry(Enum):
    """Whether the same request may succeed later without a change by the caller."""

    NEVER = "never"
    # With another ticket: over HTTP the edge gets one by itself, over gRPC the caller has to ask for it.
    NEW_TICKET = "new ticket"
    LATER = "later"


@dataclass(frozen=True, slots=True)
class Row:
    """A reason's faces; nothing of a request is in any of them.

    `grpc_status` is the name of a `grpc.StatusCode`; `type` and `code` are OpenAI's, and `code` is the
    word that programs branch on. `may_try_next_ticket` says that a request without text may go on with
    the next ticket of its lease: what failed is one replica or its ticket.
    """

    grpc_status: str
    http_status: int
    code: str
    sentence: str
    retry: Retry
    type: str
    may_try_next_ticket: bool = False


def _refused(grpc_status: str, http_status: int, code: str, *sentences: str) -> Row:
    return Row(grpc_status, http_status, code, " ".join(sentences), Retry.NEVER, "invalid_request_error")


def _limited(what: str, *sentences: str) -> Row:
    sentence = " ".join(sentences)
    return Row("RESOURCE_EXHAUSTED", 429, "rate_limit_exceeded", sentence, Retry.LATER, what)


def _busy(grpc_status: str, code: str, *sentences: str, retry: Retry = Retry.LATER) -> Row:
    return Row(grpc_status, 503, code, " ".join(sentences), retry, "server_error")


def _of_one_replica(row: Row) -> Row:
    return replace(row, may_try_next_ticket=True)


def _failed(grpc_status: str, http_status: int, code: str, *sentences: str) -> Row:
    return Row(grpc_status, http_status, code, " ".join(sentences), Retry.NEVER, "server_error")


_AGAIN: Final = "Send the request again in a moment; if this lasts, tell the operator."
_TELL: Final = "Give the x-request-id of this answer to the operator."
_SHORTEN: Final = "Please reduce the length of the messages."
_TICKET: Final = ("The permission for the replica was not accepted.", _AGAIN)
_PRECONDITION: Final = "FAILED_PRECONDITION"

ROWS: Final = MappingProxyType(
    {
        Reason.UNSPECIFIED: _failed("UNKNOWN", 500, "internal_error", "The server failed.", _TELL),
        Reason.KEY_INVALID: _refused(
            "UNAUTHENTICATED",
            401,
            "invalid_api_key",
            "Incorrect API key provided: it is missing, malformed, unknown or revoked.",
            "Send it in the header 'Authorization: Bearer …'.",
        ),
        Reason.KEY_EXPIRED: _refused(
            "UNAUTHENTICATED",
            401,
            "invalid_api_key",
            "The API key has expired. Ask the operator for a new one.",
        ),
        Reason.TENANT_DISABLED: _refused(
            "PERMISSION_DENIED",
            403,
            "tenant_disabled",
            "The tenant of this API key is disabled. Ask the operator.",
        ),
        Reason.MODEL_NOT_FOUND: _refused(
            "NOT_FOUND",
            404,
            "model_not_found",
            "The model does not exist or you do not have access to it.",
            "GET /v1/models lists those that this API key may use.",
        ),
        Reason.REQUEST_INVALID: _refused(
            "INVALID_ARGUMENT",
            400,
            "invalid_value",
            "The body must be one JSON object in UTF-8, without repeated keys and not deeply nested.",
        ),
        Reason.REQUEST_TOO_LARGE: _refused(
            "INVALID_ARGUMENT",
            413,
            "request_too_large",
            "The request is larger than the server accepts.",
            _SHORTEN,
        ),
        Reason.CONTEXT_TOO_LONG: _refused(
            "INVALID_ARGUMENT",
            400,
            "context_length_exceeded",
            "The messages are longer than the model's maximum context length.",
            _SHORTEN,
        ),
        Reason.PARAMETER_UNSUPPORTED: _refused(
            "INVALID_ARGUMENT",
            400,
            "unsupported_parameter",
            "A parameter of the request is not supported. Leave it out.",
        ),
        Reason.REQUESTS_EXHAUSTED: _limited(
            "requests",
            "Rate limit reached on requests per min (RPM).",
            "Send fewer, or ask the operator for a larger quota.",
        ),
        Reason.TOKENS_EXHAUSTED: _limited(
            "tokens",
            "Rate limit reached on tokens per min (TPM).",
            "Lower max_completion_tokens, or ask the operator for a larger quota.",
        ),
        Reason.CONCURRENCY_EXHAUSTED: _limited(
            "requests",
            "Rate limit reached on requests in flight.",
            "Wait for one of them to end, or ask the operator for a larger quota.",
        ),
        Reason.REGION_NOT_ALLOWED: _refused(
            _PRECONDITION,
            403,
            "region_not_allowed",
            "No region may serve this request: the API key belongs to another one. Use that one's address.",
        ),
        Reason.NO_REPLICA: _of_one_replica(
            _busy("UNAVAILABLE", "no_replica", "No replica of the model is ready.", _AGAIN)
        ),
        Reason.REPLICA_OVERLOADED: _of_one_replica(
            _busy("RESOURCE_EXHAUSTED", "replica_overloaded", "The model is busy.", _AGAIN)
        ),
        Reason.REPLICA_DRAINING: _of_one_replica(
            _busy("UNAVAILABLE", "replica_draining", "The replica is stopping.", _AGAIN)
        ),
        Reason.TICKET_INVALID: _of_one_replica(
            _failed(
                "PERMISSION_DENIED",
                500,
                "ticket_invalid",
                "The permission for the replica was not accepted.",
                _TELL,
            )
        ),
        Reason.TICKET_EXPIRED: _of_one_replica(
            _busy(_PRECONDITION, "ticket_expired", *_TICKET, retry=Retry.NEW_TICKET)
        ),
        Reason.TICKET_WRONG_REPLICA: _of_one_replica(
            _busy(_PRECONDITION, "ticket_wrong_replica", *_TICKET, retry=Retry.NEW_TICKET)
        ),
        Reason.TICKET_ALREADY_USED: _of_one_replica(
            _busy(_PRECONDITION, "ticket_already_used", *_TICKET, retry=Retry.NEW_TICKET)
        ),
        Reason.TICKET_LIMIT_EXCEEDED: _failed(
            _PRECONDITION,
            500,
            "ticket_limit_exceeded",
            "The request needs more than was reserved for it.",
            _TELL,
        ),
        Reason.DEADLINE_EXCEEDED: _failed(
            "DEADLINE_EXCEEDED",
            504,
            "deadline_exceeded",
            "The answer took longer than permitted. Ask for a shorter one with max_completion_tokens.",
        ),
        Reason.CLIENT_CANCELLED: _failed(
            "CANCELLED", 499, "client_cancelled", "The request was cancelled by its caller."
        ),
        # Never tried again: a request that breaks an engine would break the next one too.
        Reason.ENGINE_FAILED: _failed(
            "INTERNAL", 500, "engine_failed", "The engine failed while it held the request.", _TELL
        ),
        Reason.USAGE_NOT_RECORDED: _busy(
            "UNAVAILABLE",
            "usage_not_recorded",
            "The request's usage could not be recorded in time.",
            _AGAIN,
        ),
        Reason.SPOOL_FULL: _busy(
            "RESOURCE_EXHAUSTED", "spool_full", "The request's usage cannot be recorded now.", _AGAIN
        ),
        Reason.UNAVAILABLE: _of_one_replica(
            _busy("UNAVAILABLE", "unavailable", "A part of the service cannot be reached.", _AGAIN)
        ),
        Reason.NOT_FOUND: _refused("NOT_FOUND", 404, "not_found", "There is no such resource."),
        Reason.ALREADY_EXISTS: _refused(
            "ALREADY_EXISTS", 409, "already_exists", "The resource exists already."
        ),
        Reason.INTERNAL: _failed("INTERNAL", 500, "internal_error", "The server failed.", _TELL),
        Reason.ROUTE_NOT_FOUND: _refused(
            "UNIMPLEMENTED",
            404,
            "route_not_found",
            "This path is not served. A base URL ends in /v1, once:",
            "then POST /v1/chat/completions and GET /v1/models are found.",
        ),
        Reason.QUOTA_TOO_SMALL: _refused(
            "INVALID_ARGUMENT",
            400,
            "quota_too_small",
            "The request needs more tokens than its API key may use in a minute.",
            "Lower max_completion_tokens, or reduce the length of the messages.",
        ),
        Reason.CALLER_NOT_ALLOWED: _failed(
            "PERMISSION_DENIED",
            500,
            "caller_not_allowed",
            "A part of the service may not call another one.",
            _TELL,
        ),
    }
)

# The same call may succeed later: what a caller of gRPC is told.
RETRYABLE: Final = frozenset(reason for reason, row in ROWS.items() if row.retry is Retry.LATER)
# A request without text may go on with its next ticket: what the edge does, and a caller of gRPC is told.
# A failed engine is not among them: a request that breaks one engine would break three.
MAY_TRY_NEXT_TICKET: Final = frozenset(reason for reason, row in ROWS.items() if row.may_try_next_ticket)
