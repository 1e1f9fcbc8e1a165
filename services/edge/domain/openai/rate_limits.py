"""A key's quota as OpenAI's rate-limit headers."""

from typing import Final

from services.kernel.quota import QuotaState, wait_milliseconds

_SECOND: Final = 1000


def quota_headers(quota: QuotaState) -> list[tuple[bytes, bytes]]:
    """Returns `x-ratelimit-*` for each limit that there is; none where there is no limit."""
    headers = []
    if quota.limit_requests:
        headers += [
            (b"x-ratelimit-limit-requests", b"%d" % quota.limit_requests),
            (b"x-ratelimit-remaining-requests", b"%d" % quota.remaining_requests),
            (b"x-ratelimit-reset-requests", duration_text(quota.reset_requests_seconds)),
        ]
    if quota.limit_tokens:
        headers += [
            (b"x-ratelimit-limit-tokens", b"%d" % quota.limit_tokens),
            (b"x-ratelimit-remaining-tokens", b"%d" % quota.remaining_tokens),
            (b"x-ratelimit-reset-tokens", duration_text(quota.reset_tokens_seconds)),
        ]
    return headers


def duration_text(seconds: float) -> bytes:
    """Returns a wait as OpenAI writes it, to the millisecond: 20ms, 1s, 8.64s, 6m0s, 1h0m0.5s."""
    milliseconds = wait_milliseconds(seconds)
    if milliseconds < _SECOND:
        return b"%dms" % milliseconds
    minutes, milliseconds = divmod(milliseconds, 60 * _SECOND)
    hours, minutes = divmod(minutes, 60)
    text = f"{milliseconds / _SECOND:g}s"
    if minutes or hours:
        text = f"{minutes}m{text}"
    return (f"{hours}h{text}" if hours else text).encode("ascii")
