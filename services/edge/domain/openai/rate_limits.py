"""A key's quota as OpenAI's rate-limit headers."""

from services.kernel.quota import QuotaState


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
    """Returns a duration as OpenAI writes it: 20ms, 1s, 6m0s."""
    milliseconds = round(seconds * 1000)
    if milliseconds < 1000:  # noqa: PLR2004 - a second
        return b"%dms" % milliseconds
    whole = round(seconds)
    minutes, rest = divmod(whole, 60)
    return b"%dm%ds" % (minutes, rest) if minutes else b"%ds" % rest
