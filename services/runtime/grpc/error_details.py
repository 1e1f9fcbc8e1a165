"""What an error says: to callers that have our schema, and to those that know Google's alone."""

from typing import Final

from comptoir.error.v1.error_reason_pb2 import ErrorDetail, QuotaDetail
from google.protobuf.any_pb2 import Any
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import ErrorInfo, RetryInfo

from services.kernel.errors import ComptoirError, Numbers, Reason
from services.kernel.quota import QuotaState, wait_milliseconds

# Together with it a reason means the same to every reader of `google.rpc.ErrorInfo`.
ERROR_DOMAIN: Final = "comptoir"
_MAX_UINT32: Final = 2**32 - 1


def detail_from(error: ComptoirError) -> ErrorDetail:
    """Returns everything that is said of `error`."""
    row = error.reason.row
    return ErrorDetail(
        reason=row.number,  # type: ignore[arg-type] # the enum's stub type is nominal
        is_retryable=row.is_retryable,
        may_try_next_ticket=row.may_try_next_ticket,
        retry_after_milliseconds=_milliseconds(error.retry_after_seconds),
        field=error.field,
        limit=error.numbers.limit,
        requested=error.numbers.requested,
        available=error.numbers.available,
        quota=None if error.quota is None else _quota_detail(error.quota),
        base_url=error.base_url,
        transfer_record=error.transfer_record,
        home_region=error.home_region,
        is_of_tenant=error.numbers.is_of_tenant,
        resets_at_seconds=error.numbers.resets_at_seconds,
        currency=error.numbers.currency,
        limited_by=error.numbers.limited_by.row.number,  # type: ignore[arg-type] # as above
    )


def error_of(detail: ErrorDetail) -> ComptoirError | None:
    """Returns the error that `detail` says, None for a reason that this version does not know."""
    try:
        reason = Reason.by_number(detail.reason)
    except ValueError:
        # A reason of a later version. Where one replica is at fault, a replica out of reach is treated alike.
        return ComptoirError(Reason.UNAVAILABLE) if detail.may_try_next_ticket else None
    error = ComptoirError(
        reason,
        field=detail.field,
        retry_after_seconds=detail.retry_after_milliseconds / 1000,
        numbers=Numbers(
            detail.limit,
            detail.requested,
            detail.available,
            detail.is_of_tenant,
            detail.resets_at_seconds,
            detail.currency,
            _limit_of(detail.limited_by),
        ),
        quota=_quota_from(detail.quota) if detail.HasField("quota") else None,
        base_url=detail.base_url,
    )
    error.transfer_record = detail.transfer_record
    error.home_region = detail.home_region
    return error


def public_details_from(error: ComptoirError) -> list[Any]:
    """Returns what a reader of `google.rpc` alone understands of `error`: a field's name and numbers."""
    numbers = error.numbers
    said = {
        "field": error.field,
        "limit": numbers.limit,
        "requested": numbers.requested,
        "available": numbers.available,
        "base_url": error.base_url,
        "is_of_tenant": "true" if numbers.is_of_tenant else "",
        "resets_at_seconds": numbers.resets_at_seconds,
        "currency": numbers.currency,
        "limited_by": numbers.limited_by.name if numbers.limited_by else "",
    }
    metadata = {key: str(value) for key, value in said.items() if value}
    details = [_packed(ErrorInfo(reason=error.reason.name, domain=ERROR_DOMAIN, metadata=metadata))]
    if wait_milliseconds := _milliseconds(error.retry_after_seconds):
        delay = Duration()
        delay.FromMilliseconds(wait_milliseconds)
        details.append(_packed(RetryInfo(retry_delay=delay)))
    return details


def _limit_of(number: int) -> Reason:
    """Returns the reason with a number; UNSPECIFIED for one that this version does not know."""
    try:
        return Reason.by_number(number)
    except ValueError:
        return Reason.UNSPECIFIED


def _packed(message: Message) -> Any:
    packed = Any()
    packed.Pack(message)
    return packed


def _quota_detail(quota: QuotaState) -> QuotaDetail:
    return QuotaDetail(
        limit_requests=quota.limit_requests,
        remaining_requests=quota.remaining_requests,
        limit_tokens=quota.limit_tokens,
        remaining_tokens=quota.remaining_tokens,
        reset_requests_milliseconds=_milliseconds(quota.reset_requests_seconds),
        reset_tokens_milliseconds=_milliseconds(quota.reset_tokens_seconds),
    )


def _quota_from(quota: QuotaDetail) -> QuotaState:
    return QuotaState(
        limit_requests=quota.limit_requests,
        remaining_requests=quota.remaining_requests,
        limit_tokens=quota.limit_tokens,
        remaining_tokens=quota.remaining_tokens,
        reset_requests_seconds=quota.reset_requests_milliseconds / 1000,
        reset_tokens_seconds=quota.reset_tokens_milliseconds / 1000,
    )


def _milliseconds(seconds: float) -> int:
    return min(wait_milliseconds(seconds), _MAX_UINT32)
