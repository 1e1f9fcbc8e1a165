"""What a client is told where one of its request's prompts is refused."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from services.kernel.errors import ComptoirError, Numbers, Reason

_SECONDS_PER_MINUTE: Final = 60
# All prompts together use of these, and another day or month has no more of them.
_BY_USE: Final = frozenset(
    {
        Reason.TOKENS_EXHAUSTED,
        Reason.DAY_TOKENS_EXHAUSTED,
        Reason.MONTH_TOKENS_EXHAUSTED,
        Reason.BUDGET_EXHAUSTED,
    }
)
# Each prompt takes one of these.
_BY_PROMPTS: Final = frozenset({Reason.REQUESTS_EXHAUSTED, Reason.CONCURRENCY_EXHAUSTED})


def refusal_of_all(error: ComptoirError, refused: int, bounds: Sequence[int]) -> ComptoirError:
    """Returns the refusal of a request whose prompt with the number `refused` met `error`.

    `bounds` are the most tokens that each of its prompts can have. Where all together are more than the key's
    quota, it is another refusal than `error`: no wait makes room, and a client would try again for ever.
    Otherwise the wait is one that makes room for all: the next try asks for all of them again.
    """
    limit = error.numbers.limit
    if error.reason in _BY_PROMPTS and limit < len(bounds):
        numbers = Numbers(limit=limit, requested=len(bounds), is_of_tenant=error.is_of_tenant)
        return ComptoirError(Reason.REQUEST_INVALID, field="prompt", numbers=numbers)
    if error.reason is Reason.REQUESTS_EXHAUSTED:
        return _after(error, len(bounds))
    if error.reason in _BY_USE:
        # Of money the router said a hundredth that was rounded up; of tokens, what is reserved.
        is_rounded = error.reason is Reason.BUDGET_EXHAUSTED
        least = _least(error.numbers.requested - is_rounded, bounds[refused], bounds)
        if least > limit:
            numbers = replace(error.numbers, requested=least, available=0, limited_by=error.reason)
            return ComptoirError(Reason.QUOTA_TOO_SMALL, numbers=replace(numbers, resets_at_seconds=0))
        return _after(error, least) if error.reason is Reason.TOKENS_EXHAUSTED else error
    return error


def _after(error: ComptoirError, needed: int) -> ComptoirError:
    """Returns a refusal of a minute's quota with the wait in which an empty one has `needed` again."""
    seconds = _SECONDS_PER_MINUTE * needed / error.numbers.limit
    return ComptoirError(
        error.reason,
        retry_after_seconds=max(error.retry_after_seconds, seconds),
        numbers=error.numbers,
        quota=error.quota,
    )


def _least(reserved: int, refused_bound: int, bounds: Sequence[int]) -> int:
    """Returns the least that all prompts reserve, in the unit of a limit: the router said how much for one.

    What is asked for an answer is the same for all, so that one which is not shorter reserves no less, and a
    shorter one no less than by its length. By the weight of a model it was rounded up.
    """
    return sum(
        reserved if bound >= refused_bound else max(0, reserved - 1) * bound // refused_bound
        for bound in bounds
    )
