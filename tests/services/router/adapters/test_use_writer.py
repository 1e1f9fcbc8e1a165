"""Uses of keys reach the store every minute, and wait while it is away."""

import asyncio
from collections.abc import Mapping

import pytest

from services.kernel.errors import ComptoirError, Reason
from services.router.adapters.use_writer import write_uses, write_uses_often
from services.router.domain.uses import Uses
from tests.contracts.key_store import store_key
from tests.fakes.keys import MemoryKeys


class KeysAway(MemoryKeys):
    async def note_uses(self, uses: Mapping[int, int]) -> None:
        raise ComptoirError(Reason.UNAVAILABLE)


async def test_a_use_is_in_the_store_a_minute_later() -> None:
    keys, uses, waits = MemoryKeys(), Uses(), list[float]()
    number = (await store_key(keys)).number

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 3:
            raise asyncio.CancelledError

    uses.note(number, 7300)
    with pytest.raises(asyncio.CancelledError):
        await write_uses_often(uses, keys, sleep=sleep)
    assert waits == [60, 60, 60]
    assert (await keys.key(number)).last_used_seconds == 7200


async def test_a_use_waits_while_the_store_is_away() -> None:
    uses = Uses()
    uses.note(1, 7300)
    await write_uses(uses, KeysAway())
    assert uses.take() == {1: 7200}
