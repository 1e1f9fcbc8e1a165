"""The reasons for which a request is refused or failed, and the one exception that carries them."""

from dataclasses import dataclass
from enum import IntEnum

from services.kernel.quota import QuotaState


class Reason(IntEnum):
    """Why; the numbers and names of `comptoir.error.v1.ErrorReason`, which documents each."""

    UNSPECIFIED = 0
    KEY_INVALID = 1
    KEY_EXPIRED = 2
    TENANT_DISABLED = 3
    MODEL_NOT_FOUND = 4
    REQUEST_INVALID = 5
    REQUEST_TOO_LARGE = 6
    CONTEXT_TOO_LONG = 7
    PARAMETER_UNSUPPORTED = 8
    REQUESTS_EXHAUSTED = 9
    TOKENS_EXHAUSTED = 10
    CONCURRENCY_EXHAUSTED = 11
    REGION_NOT_ALLOWED = 12
    NO_REPLICA = 13
    REPLICA_OVERLOADED = 14
    REPLICA_DRAINING = 15
    TICKET_INVALID = 16
    TICKET_EXPIRED = 17
    TICKET_WRONG_REPLICA = 18
    TICKET_ALREADY_USED = 19
    TICKET_LIMIT_EXCEEDED = 20
    DEADLINE_EXCEEDED = 21
    CLIENT_CANCELLED = 22
    ENGINE_FAILED = 23
    USAGE_NOT_RECORDED = 24
    SPOOL_FULL = 25
    UNAVAILABLE = 26
    NOT_FOUND = 27
    ALREADY_EXISTS = 28
    INTERNAL = 29
    ROUTE_NOT_FOUND = 30
    QUOTA_TOO_SMALL = 31
    CALLER_NOT_ALLOWED = 32


@dataclass(frozen=True, slots=True)
class Numbers:
    """What a refusal says in numbers, in the unit of its reason; 0 where there is nothing to say."""

    limit: int = 0
    requested: int = 0
    available: int = 0


class ComptoirError(Exception):
    """A refusal or failure with a public reason; its text is the reason's name and nothing else.

    `field` is the schema's name of the field that broke a rule, never a value or a
    name that the caller chose. `retry_after_seconds` is 0 where nothing is known.
    `quota` is the key's quota at the refusal, where a quota is the reason.
    """

    def __init__(
        self,
        reason: Reason,
        *,
        field: str = "",
        retry_after_seconds: float = 0.0,
        numbers: Numbers = Numbers(),
        quota: QuotaState | None = None,
    ) -> None:
        super().__init__(reason.name)
        self.reason = reason
        self.field = field
        self.retry_after_seconds = retry_after_seconds
        self.numbers = numbers
        self.quota = quota
