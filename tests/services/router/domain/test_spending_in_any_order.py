"""What was spent is known to the last token, whatever clocks, records and restarts do."""

from collections import Counter

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from services.kernel.clock import ManualClock
from services.kernel.errors import ComptoirError
from services.router.domain.accounts import Accounts
from services.router.domain.amount import Amount
from services.router.domain.quota import Payer
from services.router.domain.spending import Subject, SubjectKind, day_of, month_of
from services.router.domain.spending_book import SpendingBook
from tests.fakes.at_once import at_once
from tests.fakes.spending import MemoryRecords

KEY = Subject(SubjectKind.KEY, 1)
PAYER = Payer(9, 1)
# Two minutes before the end of a month, 2026-09-30.
BEGIN_MICROSECONDS = 1_790_812_680_000_000


class Spending(RuleBasedStateMachine):
    """A key that spends, beside a reader's own sums."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = ManualClock(BEGIN_MICROSECONDS)
        self.records = MemoryRecords()
        self.begin()
        self.spent: Counter[int] = Counter()

    def begin(self) -> None:
        self.book = SpendingBook(self.records)
        self.accounts = Accounts(self.clock, self.book)

    @property
    def day(self) -> int:
        return day_of(self.clock.wall_microseconds() // 1000)

    @rule(tokens=st.integers(1, 9))
    def spend(self, tokens: int) -> None:
        self.accounts.charge(PAYER, Amount(tokens))
        self.spent[self.day] += tokens
        self.spent[month_of(self.day)] += tokens

    @rule(hours=st.sampled_from([-40 * 24, -24, -1, 1, 24, 40 * 24]))
    def set_wall_clock(self, hours: int) -> None:
        self.clock.set_wall(self.clock.wall_microseconds() + hours * 3_600_000_000)

    @rule(is_away=st.booleans())
    def write(self, is_away: bool) -> None:
        self.records.is_away = is_away
        try:
            at_once(self.book.write())
        except ComptoirError:
            assert is_away
        self.records.is_away = False

    @rule()
    def forget(self) -> None:
        self.accounts.forget_idle()

    @rule()
    def restart(self) -> None:
        at_once(self.book.write())
        self.begin()

    @rule()
    def look(self) -> None:
        self.check()

    def teardown(self) -> None:
        self.check()
        self.restart()
        self.check()

    def check(self) -> None:
        told = at_once(self.accounts.spending(KEY))
        assert told.day_tokens == self.spent[self.day]
        assert told.month_tokens == self.spent[month_of(self.day)]


TestSpending = Spending.TestCase
TestSpending.settings = settings(max_examples=60, stateful_step_count=15, deadline=None)
