"""What was spent, on its way to where it is durable: kept until it is written, read with what is there."""

from collections.abc import Collection, Mapping
from typing import Protocol

from services.router.domain.amount import NOTHING, Amount
from services.router.domain.spending import Spent, Subject, Window, month_of


class SpendingRecords(Protocol):
    """What was spent, durable; raises KEYS_UNAVAILABLE where it cannot be reached."""

    async def read(self, windows: Collection[Window]) -> Mapping[Window, Amount]:
        """Returns what was noted of days and months; of one that is left out, nothing."""
        ...

    async def write(self, spent: Mapping[Window, Amount]) -> None:
        """Notes totals of days and months; what is noted already never goes back."""
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
            kept = (spent for spent in self._kept(subject) if month_of(spent.day) == month)
            asked |= {Window(subject, spent.day) for spent in kept if not spent.is_known}
        recorded = await self._records.read(asked) if self._records is not None else {}
        found = {}
        for subject in subjects:
            for spent in self._kept(subject):
                if not spent.is_known and Window(subject, spent.day) in asked:
                    # A part of a sum is no sum.
                    spent.learn(*self._before(subject, spent.day, recorded))
            found[subject] = Spent(
                day, *self._before(subject, day, recorded), is_day_known=True, is_month_known=True
            )
        return found

    async def write(self) -> None:
        """Writes all that waits; raises KEYS_UNAVAILABLE where that cannot be, and it waits on."""
        if self._records is None or not self._noted:
            return
        noted = self._writing = self._noted
        self._noted = {}
        try:
            unknown: dict[int, set[Subject]] = {}
            for subject, days in noted.items():
                for spent in days.values():
                    if not spent.is_known:
                        unknown.setdefault(spent.day, set()).add(subject)
            for day, subjects in unknown.items():
                await self.read(subjects, day)
            await self._records.write(_totals(noted))
        except BaseException:
            for subject, days in noted.items():
                self._noted[subject] = days | self._noted.get(subject, {})
            raise
        finally:
            self._writing = {}

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
