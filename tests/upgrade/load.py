"""Callers with the official SDK who ask a region for as long as something happens, and what they saw."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final, TypeAlias

from tests.system.asking import Failure, WholeAnswer, ask
from tests.system.serving_processes import MODEL
from tests.upgrade.released_region import ReleasedRegion

CALLERS: Final = 4
_WAIT_SECONDS: Final = 120.0

Seen: TypeAlias = list[WholeAnswer | Failure]


@asynccontextmanager
async def load(region: ReleasedRegion) -> AsyncIterator[Seen]:
    """What callers see while the block lasts."""
    seen: Seen = []
    is_over = asyncio.Event()

    async def call() -> None:
        while not is_over.is_set():
            seen.append(await ask(region.client(), MODEL, output_tokens=100))

    async with asyncio.TaskGroup() as callers:
        for _ in range(CALLERS):
            callers.create_task(call())
        try:
            yield seen
        finally:
            is_over.set()


async def served(seen: Seen) -> None:
    """Returns once whatever runs now has answered every caller, from the first token to the last."""
    wanted = len(seen) + 2 * CALLERS
    async with asyncio.timeout(_WAIT_SECONDS):
        while len(seen) < wanted:  # noqa: ASYNC110 - callers tell nobody
            await asyncio.sleep(0.05)


def whole(seen: Seen) -> dict[str, tuple[int, int]]:
    """Tokens of each answer by its request; nobody saw a failure."""
    assert [one for one in seen if isinstance(one, Failure)] == []
    answers = {
        one.request_id: (one.input_tokens, one.output_tokens) for one in seen if isinstance(one, WholeAnswer)
    }
    assert len(answers) == len(seen)
    return answers


def tokens(seen: Seen) -> int:
    """What all answers used."""
    return sum(input_tokens + output_tokens for input_tokens, output_tokens in whole(seen).values())
