"""What is left of a quota at one moment, and what was used, as the router counts it and as it is told."""

import math
from dataclasses import dataclass
from typing import Final

# A whole number of milliseconds that went through seconds as a float may come back a little above itself.
_ROUNDING_MILLISECONDS: Final = 1e-6


@dataclass(frozen=True, slots=True)
class QuotaState:
    """Requests and tokens per minute; a limit of 0 means that there is none."""

    limit_requests: int = 0
    remaining_requests: int = 0
    limit_tokens: int = 0
    remaining_tokens: int = 0
    reset_requests_seconds: float = 0.0
    reset_tokens_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Spending:
    """What a key, or a tenant, used of the day and of the month (UTC); what is reserved counts as used.

    Tokens are those of the quota: by the weights of their models. Counted whether or not there is a limit.
    """

    day_tokens: int = 0
    month_tokens: int = 0
    # Billionths of the currency's unit.
    month_money_nanos: int = 0
    day_ends_seconds: int = 0
    month_ends_seconds: int = 0


def wait_milliseconds(seconds: float) -> int:
    """Returns a wait rounded up: who waits that long finds what was promised, and not a moment before it."""
    return max(0, math.ceil(seconds * 1000 - _ROUNDING_MILLISECONDS))
