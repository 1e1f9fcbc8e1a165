"""What is said of a limit of a key or of its tenant that is reached: whose, how much, and when it is over."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

from services.edge.domain.openai.rate_limits import duration_text
from services.kernel.errors import KEY_REFUSALS, ComptoirError, Numbers, Reason

# Where nobody knows when a retry may succeed.
UNKNOWN_WAIT_SECONDS: Final = 1.0
# What a sum of a foreign price list, or a clock, cannot say in words is left out.
_LAST_SECOND: Final = int(datetime(9999, 12, 31, tzinfo=UTC).timestamp())


def limit_message(error: ComptoirError) -> str:
    """Returns the sentence of a rate, quota or budget that is used up, or of a class that is held back."""
    if error.reason is Reason.BATCH_HELD_BACK:
        return _batch_message(error)
    if error.reason.row.code == "insufficient_quota":
        return _spent_message(error)
    wait = duration_text(error.retry_after_seconds or UNKNOWN_WAIT_SECONDS).decode()
    whose = "" if error.reason in KEY_REFUSALS else f" for {_whose(error.numbers)}"
    # Programs look for the words from `on` on: OpenAI's.
    what = f"Rate limit reached{whose} on {error.reason.row.rate}"
    return f"{what}: {_amounts(error)}. Please try again in {wait}."


def too_large_message(numbers: Numbers) -> str:
    """Returns how much more a request needs than a whole limit holds, and of whose."""
    limited_by = numbers.limited_by or Reason.TOKENS_EXHAUSTED
    limit, requested = (_amount(limited_by, numbers, each) for each in (numbers.limit, numbers.requested))
    rate = limited_by.row.rate
    return f"Request too large for {_whose(numbers)} on {rate}: Limit {limit}, Requested {requested}"


def _spent_message(error: ComptoirError) -> str:
    row = error.reason.row
    text = f"You exceeded your current quota of {row.rate} for {_whose(error.numbers)}: {_amounts(error)}. "
    if not 0 < error.numbers.resets_at_seconds <= _LAST_SECOND:
        return text + row.next_step
    at = datetime.fromtimestamp(error.numbers.resets_at_seconds, UTC)
    return text + f"It begins anew at {at:%Y-%m-%d %H:%M:%S} UTC. {row.next_step}"


def _whose(numbers: Numbers) -> str:
    return "the tenant of this API key" if numbers.is_of_tenant else "this API key"


def _amounts(error: ComptoirError) -> str:
    numbers = error.numbers
    used = numbers.limit - min(numbers.available, numbers.limit)
    amounts = {"Limit": numbers.limit, "Used": used, "Requested": numbers.requested}
    return ", ".join(f"{name} {_amount(error.reason, numbers, amount)}" for name, amount in amounts.items())


def _amount(reason: Reason, numbers: Numbers, amount: int) -> str:
    if reason is not Reason.BUDGET_EXHAUSTED:
        return str(amount)
    return f"{Decimal(amount) / 100:.2f} {numbers.currency}".rstrip()


def _batch_message(error: ComptoirError) -> str:
    target, found = error.numbers.limit, error.numbers.requested
    # Both are 0 in a peak window.
    why = (
        f"interactive requests wait {found} ms for a first token (p95) where {target} ms are the target"
        if target
        else "this is a peak window"
    )
    wait = duration_text(error.retry_after_seconds or UNKNOWN_WAIT_SECONDS).decode()
    return (
        f"Requests of the class batch are held back: {why}. Please try again in {wait}, or in another class "
        "(service_tier, or the header x-comptoir-priority)."
    )
