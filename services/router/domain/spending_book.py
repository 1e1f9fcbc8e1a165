"""What was spent, on its way to where it is durable: kept until it is written, read with what is there."""

import asyncio
from collections.abc import Collection, Mapping
from itertools import islice
from typing import Final, Protocol

from services.router.domain.amount import NOTHING, Amount
from services.router.domain.spending import Spent, Subject, Window, month_of

_SUBJECTS_AT_ONCE: Final = 250


class SpendingRecords(Protocol):
    """What was spent, durable; raises KEYS_UNAVAILABLE where it cannot be reached."""

    async def read(self, windows: Collection[Window]) -> Mapping[Window, Amount]:
        """Returns what was noted of days and months; of one that is left out, nothing."""
        ...

    async def write(self, spent: Mapping[Window, Amount]) -> None:
        """Notes totals of days and months; what is noted already never goes back."""
        ...

    async def forget_days(self, before: int) -> None:
        """Drops what was noted of days before that one; of months all stays."""
        ...


class SpendingBook:
    """Takes what a lease store says was spent, and answers what was spent before.

    Without records it keeps all: then nothing outlives the process.
    """

    def __init__(self, records: SpendingRecords | None = None) -> None:
        self._records = records
        # By day, of each subject. A lease store in memory goes on with what it noted here.
        self._noted: dict[Subject, dict[int, Spent]] = {}
        self._writing: dict[Subject, dict[int, Spent]] = {}
        self._turn = asyncio.Lock()

    @property
    def waiting(self) -> int:
        """Returns of how many subjects something is not written yet."""
        return len(self._noted)

    def note(self, subject: Subject, spent: Spent) -> None:
        """Takes what a subject spent in a day so far; another day of the same month is no less of that."""
        days = self._noted.get(subject)
        if days is None:
            self._noted[subject] = {spent.day: spent}
            return
        before = days.get(spent.day)
        if before is not None and before is not spent:
            spent.follow(before)
        days[spent.day] = spent

    async def read(self, subjects: Collection[Subject], day: int) -> Mapping[Subject, Spent]:
        """Returns what each used in a day and its month, written or not; raises as the records do."""
        month = month_of(day)
        asked = {Window(subject, period) for subject in subjects for period in (day, month)}
        for subject in subjects:
            asked |= {
                Window(subject, spent.day) for spent in self._kept(subject) if month_of(spent.day) == month
            }
        recorded = await self._records.read(asked) if self._records is not None else {}
        found = {}
        for subject in subjects:
            kept = [spent for spent in self._kept(subject) if Window(subject, spent.day) in asked]
            for spent in kept:
                if not spent.is_known:
                    # A part of a sum is no sum.
                    spent.learn(*self._before(subject, spent.day, recorded))
            of_day, of_month = self._before(subject, day, recorded)
            for spent in kept:
                # Parts of other days of the month were learnt of after it.
                spent.of_month = spent.of_month.most(of_month)
            found[subject] = Spent(day, of_day, of_month, is_day_known=True, is_month_known=True)
        return found

    async def write(self) -> None:
        """Writes all that waits; raises KEYS_UNAVAILABLE where that cannot be, and it waits on.

        Some subjects at a time, so that others have their turn between many.
        """
        async with self._turn:
            for _ in range(0, len(self._noted), _SUBJECTS_AT_ONCE):
                await self._write(dict(islice(self._noted.items(), _SUBJECTS_AT_ONCE)))

    async def _write(self, noted: dict[Subject, dict[int, Spent]]) -> None:
        if self._records is None:
            return
        self._writing = noted
        for subject in noted:
            del self._noted[subject]
        try:
            for day, subjects in _of_parts(noted).items():
                await self.read(subjects, day)
            await self._records.write(_totals(noted))
        except BaseException:
            self._take_back(noted)
            raise
        finally:
            self._writing = {}

    def _take_back(self, noted: Mapping[Subject, Mapping[int, Spent]]) -> None:
        for subject, days in noted.items():
            later = self._noted.setdefault(subject, {})
            for day, spent in days.items():
                if later.setdefault(day, spent) is not spent:
                    later[day].follow(spent)

    def _before(self, subject: Subject, day: int, recorded: Mapping[Window, Amount]) -> tuple[Amount, Amount]:
        """Returns the largest total that is known of a day, and of its month."""
        month = month_of(day)
        of_day = recorded.get(Window(subject, day), NOTHING)
        of_month = recorded.get(Window(subject, month), NOTHING)
        for spent in self._kept(subject):
            totals = spent.totals()
            of_day = of_day.most(totals.get(day, NOTHING))
            of_month = of_month.most(totals.get(month, NOTHING))
        return of_day, of_month

    def _kept(self, subject: Subject) -> list[Spent]:
        return [*self._writing.get(subject, {}).values(), *self._noted.get(subject, {}).values()]


def _totals(noted: Mapping[Subject, Mapping[int, Spent]]) -> dict[Window, Amount]:
    totals: dict[Window, Amount] = {}
    for subject, days in noted.items():
        for spent in days.values():
            for period, amount in spent.totals().items():
                window = Window(subject, period)
                totals[window] = amount.most(totals.get(window, NOTHING))
    return totals


def _of_parts(noted: Mapping[Subject, Mapping[int, Spent]]) -> dict[int, set[Subject]]:
    """Returns the days of which only a part of what was spent is known, with whose they are."""
    parts: dict[int, set[Subject]] = {}
    for subject, days in noted.items():
        for spent in days.values():
            if not spent.is_known:
                parts.setdefault(spent.day, set()).add(subject)
    return parts
