"""What a client is told where one of its request's prompts is refused."""

from collections.abc import Sequence
from typing import Final

from services.kernel.errors import ComptoirError, Numbers, Reason

_SECONDS_PER_MINUTE: Final = 60
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
        numbers = Numbers(limit=limit, requested=len(bounds))
        return ComptoirError(Reason.REQUEST_INVALID, field="prompt", numbers=numbers)
    if error.reason is Reason.REQUESTS_EXHAUSTED:
        return _after(error, len(bounds))
    if error.reason is Reason.TOKENS_EXHAUSTED:
        fewest_tokens = _fewest_tokens(error.numbers.requested, bounds[refused], bounds)
        if fewest_tokens > limit:
            return ComptoirError(Reason.QUOTA_TOO_SMALL, numbers=Numbers(limit, fewest_tokens))
        return _after(error, fewest_tokens)
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


def _fewest_tokens(reserved_tokens: int, refused_bound: int, bounds: Sequence[int]) -> int:
    """Returns the fewest tokens that all prompts reserve: the router said how many for one of them.

    What is asked for an answer is the same for all, so that one which is not shorter reserves no less.
    """
    return sum(reserved_tokens if bound >= refused_bound else min(bound, reserved_tokens) for bound in bounds)
