"""How a reason shows over gRPC, over HTTP and to a person, and what reasons of one kind have in common."""

from dataclasses import dataclass
from enum import Enum
from typing import Final

_REFUSED: Final = "invalid_request_error"
_FAILED: Final = "server_error"
_AGAIN: Final = "Send the request again in a moment; if this lasts, tell the operator."


class Retry(Enum):
    """Whether the same request may succeed later without a change by the caller."""

    NEVER = "never"
    # With another ticket: over HTTP the edge gets one by itself, over gRPC the caller has to ask for it.
    NEW_TICKET = "new ticket"
    LATER = "later"


@dataclass(frozen=True, slots=True)
class Row:
    """What a reason shows as, to each who is told it; nothing of a request is in any of it.

    `number` is that of the schema and of the store, `grpc_status` the name of a `grpc.StatusCode`. `type`
    and `code` are OpenAI's, and `code` is the word that programs branch on. `may_try_next_ticket` is true
    where one replica or its ticket is at fault, so that the next ticket of the same admission may serve the
    request. `param` is what the refusal is about where it names no field, and `rate` the words for the quota
    that is used up. `what` says what happened, and `next_step` what its caller does now.
    """

    number: int
    grpc_status: str
    http_status: int
    code: str
    what: str
    next_step: str
    retry: Retry
    type: str
    may_try_next_ticket: bool = False
    param: str | None = None
    rate: str = ""

    @property
    def sentence(self) -> str:
        """All that a person is told where there are no numbers."""
        return f"{self.what} {self.next_step}"

    @property
    def is_retryable(self) -> bool:
        """True if the same call may succeed later: what a caller of gRPC is told."""
        return self.retry is Retry.LATER


def refused(
    number: int,
    grpc_status: str,
    http_status: int,
    code: str,
    what: str,
    *next_step: str,
    param: str | None = None,
) -> Row:
    """Returns the row of a request that its caller has to change; `next_step` says how, in parts."""
    step = " ".join(next_step)
    return Row(number, grpc_status, http_status, code, what, step, Retry.NEVER, _REFUSED, param=param)


def unknown(number: int, code: str, what: str, *next_step: str) -> Row:
    """Returns the row of a key that does not say who calls."""
    return refused(number, "UNAUTHENTICATED", 401, code, what, *next_step)


def forbidden(number: int, code: str, what: str, *next_step: str) -> Row:
    """Returns the row of what this caller may not do, whom others may."""
    return refused(number, "PERMISSION_DENIED", 403, code, what, *next_step)


def invalid(number: int, code: str, what: str, *next_step: str, param: str | None = None) -> Row:
    """Returns the row of a request that no caller may make as it is."""
    return refused(number, "INVALID_ARGUMENT", 400, code, what, *next_step, param=param)


def limited(number: int, kind: str, rate: str, advice: str) -> Row:
    """Returns the row of a quota that is used up for the moment; `kind` is what OpenAI's clients call it."""
    status, code, what = "RESOURCE_EXHAUSTED", "rate_limit_exceeded", f"Rate limit reached on {rate}."
    return Row(number, status, 429, code, what, advice, Retry.LATER, kind, rate=rate)


def spent(number: int, rate: str, until: str) -> Row:
    """Returns the row of a quota that is used up for longer than programs wait; `until` says for how long."""
    status, code, what = (
        "RESOURCE_EXHAUSTED",
        "insufficient_quota",
        f"You exceeded your current quota of {rate}.",
    )
    step = f"Wait for {until}, or ask the operator for a larger quota."
    return Row(number, status, 429, code, what, step, Retry.NEVER, code, rate=rate)


def busy(number: int, grpc_status: str, code: str, what: str, *, may_try_next_ticket: bool = False) -> Row:
    """Returns the row of a part of the service that does not take the request for the moment."""
    return Row(number, grpc_status, 503, code, what, _AGAIN, Retry.LATER, _FAILED, may_try_next_ticket)


def held_back(number: int, code: str, what: str, otherwise: str) -> Row:
    """Returns the row of requests that wait for those of other classes; `otherwise` is what else helps."""
    step = f"Send the request again later, {otherwise}."
    return Row(number, "RESOURCE_EXHAUSTED", 429, code, what, step, Retry.LATER, "requests")


def unusable(number: int, code: str, *, may_try_next_ticket: bool = True) -> Row:
    """Returns the row of a ticket, or of a lease, that does not serve where and when it was shown."""
    what = "The permission for the replica was not accepted."
    status, retry = "FAILED_PRECONDITION", Retry.NEW_TICKET
    return Row(number, status, 503, code, what, _AGAIN, retry, _FAILED, may_try_next_ticket)


def failed(
    number: int,
    grpc_status: str,
    http_status: int,
    code: str,
    what: str,
    *next_step: str,
    may_try_next_ticket: bool = False,
) -> Row:
    """Returns the row of a failure that is not the caller's doing and that no repetition mends."""
    step, retry = " ".join(next_step), Retry.NEVER
    return Row(number, grpc_status, http_status, code, what, step, retry, _FAILED, may_try_next_ticket)
