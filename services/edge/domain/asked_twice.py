"""One question that two routers are asked, because the first of them has fallen silent."""

import asyncio
from collections.abc import Collection
from typing import Any, TypeVar

from services.kernel.errors import ComptoirError, Reason

_Answer = TypeVar("_Answer")


async def first_answer(asked: "Collection[asyncio.Future[_Answer]]") -> _Answer:
    """Returns the answer that comes first, or raises the first refusal; UNAVAILABLE where none answers."""
    pending = set(asked)
    while True:
        done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
        answered = [one for one in done if not _is_unanswered(one)]
        if answered or not pending:
            return (answered or list(done))[0].result()


def answer_of(asked: "asyncio.Future[Any]") -> object:
    """Returns what a router answered; None where that is a refusal, or nothing."""
    if not asked.done() or asked.cancelled() or asked.exception() is not None:
        return None
    return asked.result()


def _is_unanswered(asked: "asyncio.Future[Any]") -> bool:
    error = None if asked.cancelled() else asked.exception()
    return isinstance(error, ComptoirError) and error.reason is Reason.UNAVAILABLE
