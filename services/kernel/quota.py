"""What is left of a key's quota at one moment, as the router counts it and as answers say it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class QuotaState:
    """Requests and tokens per minute; a limit of 0 means that there is none."""

    limit_requests: int = 0
    remaining_requests: int = 0
    limit_tokens: int = 0
    remaining_tokens: int = 0
    reset_requests_seconds: float = 0.0
    reset_tokens_seconds: float = 0.0
