"""One question that two routers are asked, because the first of them has fallen silent."""

import asyncio
from collections.abc import Collection
from enum import IntEnum
from typing import Any, Final, TypeVar

from services.kernel.errors import ComptoirError, Reason

_Answer = TypeVar("_Answer")
# What is used up, full or away: with this status, or a later one.
_OF_THE_MOMENT: Final = 429


class _Rank(IntEnum):
    """What counts of two things that were heard: the lower."""

    ANSWER = 0
    FINAL = 1
    """A refusal that another router would repeat."""
    OF_THE_MOMENT = 2
    UNANSWERED = 3


async def first_answer(asked: "Collection[asyncio.Future[_Answer]]") -> _Answer:
    """Returns the answer that comes first; where there is none, raises why, UNAVAILABLE where nobody says.

    A refusal of the moment waits for the other router: what the request holds there may be what it is refused
    for here. One that every router would repeat does not.
    """
    pending, heard = set(asked), list[asyncio.Future[_Answer]]()
    while True:
        done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
        heard.extend(done)
        best = min(heard, key=_rank)
        if not pending or _rank(best) <= _Rank.FINAL:
            return best.result()


def answer_of(asked: "asyncio.Future[Any]") -> object:
    """Returns what a router answered; None where that is a refusal, or nothing."""
    if not asked.done() or asked.cancelled() or asked.exception() is not None:
        return None
    return asked.result()


def _rank(heard: "asyncio.Future[Any]") -> _Rank:
    error = None if heard.cancelled() else heard.exception()
    if error is None:
        return _Rank.FINAL if heard.cancelled() else _Rank.ANSWER
    if not isinstance(error, ComptoirError) or error.reason.row.http_status < _OF_THE_MOMENT:
        return _Rank.FINAL
    return _Rank.UNANSWERED if error.reason is Reason.UNAVAILABLE else _Rank.OF_THE_MOMENT
