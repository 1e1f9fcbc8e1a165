"""What leases in Redis or Valkey spend: noted with each change, and told to a server that forgot it."""

import asyncio
from collections.abc import Mapping
from itertools import islice
from typing import Any, Final

from services.kernel.errors import ComptoirError
from services.router.adapters.lease_answers import named_subject, spent_of
from services.router.adapters.lease_calls import LeaseCalls, UnreadableValueError, away
from services.router.domain.spending import Subject
from services.router.domain.spending_book import SpendingBook

# Of so many is learnt at once: neither the server nor this process does anything else meanwhile.
_MOST_LEARNT: Final = 250


class RedisSpending:
    """Between the functions that spend something and the book of what was spent."""

    def __init__(self, calls: LeaseCalls, book: SpendingBook) -> None:
        self._calls = calls
        self._book = book
        # Of whom the server does not know what they spent before, by the partition that has them.
        self._unknown: dict[Subject, int] = {}

    async def spend(self, function: str, partition: int, *asked: str | bytes | int) -> Any:
        """Returns what a function answers that may spend something, and notes what it spent."""
        found, spent = await self._calls.call(function, partition, *asked)
        for subject, totals in map(spent_of, spent):
            if totals.is_known:
                self._book.note(subject, totals)
            else:
                self._unknown[subject] = partition
        return found

    async def learn(self, subjects: Mapping[Subject, int], day: int) -> None:
        """Reads what was spent before, and tells the server: what it knows already is left as it is there."""
        try:
            found = await self._book.read(subjects, day)
        except ComptoirError:
            raise away() from None
        told: dict[int, list[str | int]] = {}
        for subject, before in found.items():
            totals = (*before.of_day, *before.of_month)
            told.setdefault(subjects[subject], []).extend((*named_subject(subject), day, *totals))
        await asyncio.gather(*(self.spend("learn", partition, *args) for partition, args in told.items()))

    async def learn_unknown(self) -> None:
        """Learns of those of whom only a part of what they spent is known: of it nothing is written."""
        unknown, self._unknown = self._unknown, {}
        while unknown:
            some = dict(islice(unknown.items(), _MOST_LEARNT))
            try:
                await self._learn_some(some)
            except ComptoirError:
                # Once the server or the records can be asked again.
                self._unknown = unknown | self._unknown
                return
            for one in some:
                del unknown[one]

    async def _learn_some(self, some: Mapping[Subject, int]) -> None:
        """Learns of all; where the server cannot read one, of each of the others by itself."""
        subject, partition = next(iter(some.items()))
        try:
            day, *_ = await self._calls.call("spending", partition, *named_subject(subject))
            await self.learn(some, day)
        except UnreadableValueError:
            if len(some) > 1:
                for one, its_partition in some.items():
                    await self._learn_some({one: its_partition})
