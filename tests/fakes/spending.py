"""What was spent, noted in memory."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from services.kernel.errors import ComptoirError, Reason
from services.router.domain.amount import NOTHING, Amount
from services.router.domain.spending import Window, is_day


@dataclass
class MemoryRecords:
    """Keeps totals; away when it is told to be."""

    noted: dict[Window, Amount] = field(default_factory=dict)
    is_away: bool = False
    reads: int = 0

    async def read(self, windows: Collection[Window]) -> Mapping[Window, Amount]:
        self._check()
        self.reads += 1
        return {window: self.noted[window] for window in windows if window in self.noted}

    async def write(self, spent: Mapping[Window, Amount]) -> None:
        self._check()
        for window, amount in spent.items():
            self.noted[window] = amount.most(self.noted.get(window, NOTHING))

    async def forget_days(self, before: int) -> None:
        self._check()
        for window in [one for one in self.noted if is_day(one.period) and one.period < before]:
            del self.noted[window]

    def _check(self) -> None:
        if self.is_away:
            raise ComptoirError(Reason.KEYS_UNAVAILABLE)
