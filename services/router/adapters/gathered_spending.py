"""Reads of what was spent, one at a time: whoever asks meanwhile is answered by the next, together."""

import asyncio
from collections.abc import Collection, Mapping

from services.router.domain.amount import Amount
from services.router.domain.spending import Window
from services.router.domain.spending_book import SpendingRecords


class GatheredSpending:
    """Records of which one read is under way at most: as a day begins, all that have a budget ask at once.

    Nobody is answered by a read that began before they asked. One that fails has failed for all who asked for
    it, and the next is another one.
    """

    def __init__(self, records: SpendingRecords) -> None:
        self._records = records
        self._asked: set[Window] = set()
        self._next: asyncio.Future[Mapping[Window, Amount]] | None = None
        self._reading: asyncio.Task[None] | None = None

    async def read(self, windows: Collection[Window]) -> Mapping[Window, Amount]:
        """Returns what was noted of days and months; of one that is left out, nothing."""
        if self._next is None:
            self._next = asyncio.get_running_loop().create_future()
        self._asked.update(windows)
        answer = self._next
        if self._reading is None:
            self._reading = asyncio.create_task(self._read_all())
        # Who goes away takes nothing from the others.
        found = await asyncio.shield(answer)
        return {window: found[window] for window in windows if window in found}

    async def write(self, spent: Mapping[Window, Amount]) -> None:
        """Notes totals of days and months; what is noted already never goes back."""
        await self._records.write(spent)

    async def forget_days(self, before: int) -> None:
        """Drops what was noted of days before that one; of months all stays."""
        await self._records.forget_days(before)

    async def _read_all(self) -> None:
        answer = None
        try:
            while self._next is not None:
                answer, self._next = self._next, None
                asked, self._asked = self._asked, set()
                await self._answer(answer, asked)
        finally:
            self._reading = None
            for left in (answer, self._next):
                if left is not None:
                    # This router stops.
                    left.cancel()
            self._next, self._asked = None, set()

    async def _answer(self, answer: "asyncio.Future[Mapping[Window, Amount]]", asked: set[Window]) -> None:
        try:
            found = await self._records.read(asked)
        except Exception as error:  # noqa: BLE001 - it is raised to each who asked
            answer.set_exception(error)
            # Perhaps all of them went away.
            answer.exception()
        else:
            answer.set_result(found)
