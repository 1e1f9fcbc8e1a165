"""The reasons for which a request is refused or failed: one row each, which every door reads."""

from enum import IntEnum
from typing import Final, Self

from services.kernel.rows import (
    Row,
    busy,
    failed,
    forbidden,
    held_back,
    invalid,
    limited,
    refused,
    spent,
    unknown,
    unusable,
)

_TELL: Final = "Give the x-request-id of this answer to the operator."
_SHORTEN: Final = "Please reduce the length of the messages."


class Reason(IntEnum):
    """Why; numbers and names are those of `comptoir.error.v1.ErrorReason`, which documents each.

    A number is never used twice. Everything else that is said of a reason is derived from its row.
    """

    _value_: int
    row: Row

    def __new__(cls, row: Row) -> Self:
        """Makes a member that is its row's number and carries the row."""
        reason = int.__new__(cls, row.number)
        reason._value_ = row.number
        reason.row = row
        return reason

    @classmethod
    def by_number(cls, number: int) -> Self:
        """Returns the reason of a number; ValueError for one that this version does not know."""
        return cls(number)  # type: ignore[arg-type] # a look-up, which types do not tell from `__new__`

    @property
    def sql_name(self) -> str:
        """The name in the store's `reason` columns, beside the number."""
        return self.name.lower() if self else "none"

    UNSPECIFIED = failed(0, "UNKNOWN", 500, "internal_error", "The server failed.", _TELL)
    KEY_INVALID = unknown(
        1,
        "invalid_api_key",
        "Incorrect API key provided: it is missing, malformed, unknown or revoked.",
        "Send it in the header 'Authorization: Bearer …'.",
    )
    KEY_EXPIRED = unknown(
        2,
        "invalid_api_key",
        "The API key has expired.",
        "Ask the operator for a new one.",
    )
    TENANT_DISABLED = forbidden(
        3,
        "tenant_disabled",
        "The tenant of this API key is disabled.",
        "Ask the operator.",
    )
    MODEL_NOT_FOUND = refused(
        4,
        "NOT_FOUND",
        404,
        "model_not_found",
        "The model does not exist or you do not have access to it.",
        "GET /v1/models lists those that this API key may use.",
        param="model",
    )
    REQUEST_INVALID = invalid(
        5,
        "invalid_value",
        "The body must be one JSON object in UTF-8, without repeated keys and not deeply nested.",
        "Change what the message names.",
    )
    REQUEST_TOO_LARGE = refused(
        6,
        "INVALID_ARGUMENT",
        413,
        "request_too_large",
        "The request is larger than the server accepts.",
        _SHORTEN,
    )
    CONTEXT_TOO_LONG = invalid(
        7,
        "context_length_exceeded",
        "The messages are longer than the model's maximum context length.",
        _SHORTEN,
        param="messages",
    )
    PARAMETER_UNSUPPORTED = invalid(
        8,
        "unsupported_parameter",
        "A parameter of the request is not supported.",
        "Leave it out.",
    )
    REQUESTS_EXHAUSTED = limited(
        9, "requests", "requests per min (RPM)", "Send fewer, or ask the operator for a larger quota."
    )
    TOKENS_EXHAUSTED = limited(
        10,
        "tokens",
        "tokens per min (TPM)",
        "Lower max_completion_tokens, or ask the operator for a larger quota.",
    )
    CONCURRENCY_EXHAUSTED = limited(
        11,
        "requests",
        "requests in flight",
        "Wait for one of them to end, or ask the operator for a larger quota.",
    )
    REGION_NOT_ALLOWED = refused(
        12,
        "FAILED_PRECONDITION",
        403,
        "region_not_allowed",
        "This region may not serve this API key: it is none of the key's, or it is outside the EU and no "
        "transfer record that is in force permits it.",
        "Ask the operator.",
    )
    NO_REPLICA = busy(
        13, "UNAVAILABLE", "no_replica", "No replica of the model is ready.", may_try_next_ticket=True
    )
    REPLICA_OVERLOADED = busy(
        14, "RESOURCE_EXHAUSTED", "replica_overloaded", "The model is busy.", may_try_next_ticket=True
    )
    REPLICA_DRAINING = busy(
        15, "UNAVAILABLE", "replica_draining", "The replica is stopping.", may_try_next_ticket=True
    )
    TICKET_INVALID = failed(
        16,
        "PERMISSION_DENIED",
        500,
        "ticket_invalid",
        "The permission for the replica was not accepted.",
        _TELL,
        may_try_next_ticket=True,
    )
    TICKET_EXPIRED = unusable(17, "ticket_expired")
    TICKET_WRONG_REPLICA = unusable(18, "ticket_wrong_replica")
    TICKET_ALREADY_USED = unusable(19, "ticket_already_used")
    TICKET_LIMIT_EXCEEDED = failed(
        20,
        "FAILED_PRECONDITION",
        500,
        "ticket_limit_exceeded",
        "The request needs more than was reserved for it.",
        _TELL,
    )
    DEADLINE_EXCEEDED = failed(
        21,
        "DEADLINE_EXCEEDED",
        504,
        "deadline_exceeded",
        "The answer took longer than permitted.",
        "Ask for a shorter one with max_completion_tokens.",
    )
    CLIENT_CANCELLED = failed(
        22,
        "CANCELLED",
        499,
        "client_cancelled",
        "The request was cancelled by its caller.",
        "Send it again if its answer is wanted after all; what was generated of it is counted.",
    )
    # Never tried again, nor with the next ticket: a request that breaks one engine would break
    # the next one too.
    ENGINE_FAILED = failed(
        23, "INTERNAL", 500, "engine_failed", "The engine failed while it held the request.", _TELL
    )
    USAGE_NOT_RECORDED = busy(
        24, "UNAVAILABLE", "usage_not_recorded", "The request's usage could not be recorded in time."
    )
    SPOOL_FULL = busy(25, "RESOURCE_EXHAUSTED", "spool_full", "The request's usage cannot be recorded now.")
    UNAVAILABLE = busy(
        26, "UNAVAILABLE", "unavailable", "A part of the service cannot be reached.", may_try_next_ticket=True
    )
    NOT_FOUND = refused(
        27,
        "NOT_FOUND",
        404,
        "not_found",
        "There is no such resource.",
        "Look at the list of those that exist.",
    )
    ALREADY_EXISTS = refused(
        28,
        "ALREADY_EXISTS",
        409,
        "already_exists",
        "The resource exists already.",
        "Use it, or choose another name.",
    )
    INTERNAL = failed(29, "INTERNAL", 500, "internal_error", "The server failed.", _TELL)
    ROUTE_NOT_FOUND = refused(
        30,
        "UNIMPLEMENTED",
        404,
        "route_not_found",
        "This path is not served.",
        "A base URL ends in /v1, once: then POST /v1/chat/completions and GET /v1/models are found.",
    )
    QUOTA_TOO_SMALL = invalid(
        31,
        "quota_too_small",
        "The request needs more than its API key, or its tenant, may use at all.",
        "Lower max_completion_tokens, or reduce the length of the messages.",
    )
    CALLER_NOT_ALLOWED = failed(
        32,
        "PERMISSION_DENIED",
        500,
        "caller_not_allowed",
        "A part of the service may not call another one.",
        _TELL,
    )
    LEASE_ENDED = unusable(33, "lease_ended", may_try_next_ticket=False)
    MODEL_TASK_MISMATCH = invalid(
        34,
        "model_task_mismatch",
        "The model does another task than this path asks for.",
        "GET /v1/models says the task of each: generate for chats, prompts and responses,",
        "embed for POST /v1/embeddings.",
        param="model",
    )
    COUNT_UNSUPPORTED = invalid(
        35,
        "count_unsupported",
        "The engine of this model counts no tokens of prompts.",
        "The usage of an answer says how many its prompt had.",
        param="model",
    )
    ANSWER_TOO_LARGE = invalid(
        36,
        "answer_too_large",
        "The answer is larger than what is held until an answer is whole.",
        "Ask for a stream, for fewer logprobs or choices, or for a shorter answer.",
    )
    TOO_MANY_WRONG_KEYS = limited(
        39, "requests", "API keys from your address that nobody knows, per min", "Check the API key."
    )
    KEY_DISABLED = forbidden(37, "key_disabled", "This API key is disabled.", "Ask the operator.")
    ENDPOINT_NOT_ALLOWED = forbidden(
        38,
        "endpoint_not_allowed",
        "This API key may not be used for this kind of request.",
        "Use a key that may, or ask the operator.",
    )
    TENANT_HAS_KEYS = invalid(51, "tenant_has_keys", "The tenant has keys.", "Delete them first.")
    OVERLAP_NOT_OVER = invalid(
        60,
        "overlap_not_over",
        "The key was rotated, and the secret of before is still taken.",
        "Rotate it again when that overlap is over, or say that it is to end now.",
    )
    WRONG_REGION = refused(
        46,
        "FAILED_PRECONDITION",
        421,
        "wrong_region",
        "Another region answers this API key.",
        "Use the base URL of that region.",
    )
    DAY_TOKENS_EXHAUSTED = spent(40, "tokens per day (TPD)", "the next day")
    MONTH_TOKENS_EXHAUSTED = spent(42, "tokens per month", "the next month")
    BUDGET_EXHAUSTED = spent(43, "money per month", "the next month")
    QUOTA_UNAVAILABLE = busy(41, "UNAVAILABLE", "quota_unavailable", "Quotas cannot be checked now.")
    BATCH_HELD_BACK = held_back(
        44, "batch_held_back", "Requests of the class batch are held back for now.", "or in another class"
    )
    KEYS_UNAVAILABLE = busy(52, "UNAVAILABLE", "keys_unavailable", "API keys cannot be checked now.")
