"""Whatever becomes of requests of two keys of one tenant: nothing is lent twice, nothing leaks."""

from collections import Counter

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, multiple, rule

from services.kernel.clock import ManualClock
from services.kernel.errors import ComptoirError
from services.router.domain.accounts import Accounts
from services.router.domain.amount import NOTHING, Amount
from services.router.domain.quota import Held, Payer, Quotas
from services.router.domain.spending import Subject, SubjectKind, day_of, month_of
from services.router.domain.spending_book import SpendingBook
from services.router.domain.tenancy import Quota
from tests.fakes.at_once import at_once

PAYER, OTHER_KEY = Payer(9, 1), Payer(9, 2)
CENT = 10_000_000


class Requests(RuleBasedStateMachine):
    """Requests of two keys of one tenant that end in every way, and a reader's own sums beside the accounts.

    Clocks go on over the ends of days and months, and back over them.
    """

    open_leases = Bundle("open_leases")
    lost_leases = Bundle("lost_leases")
    of_key = Quota(
        requests_per_minute=6,
        tokens_per_minute=1_000,
        concurrency=3,
        tokens_per_day=3_000,
        tokens_per_month=7_000,
        money_per_month_cents=40,
    )
    of_tenant = Quota(
        requests_per_minute=9,
        tokens_per_minute=1_500,
        concurrency=4,
        tokens_per_day=4_000,
        tokens_per_month=8_000,
        money_per_month_cents=50,
    )

    def __init__(self) -> None:
        super().__init__()
        self.start_seconds = 1_000.0
        self.clock = ManualClock(monotonic_seconds=self.start_seconds)
        self.accounts = Accounts(self.clock, SpendingBook())
        self.spent: Counter[tuple[Subject, int, str]] = Counter()
        self.held: Counter[tuple[Subject, str]] = Counter()
        self.places: Counter[Subject] = Counter()
        self.requests: Counter[Subject] = Counter()
        self.tokens: Counter[Subject] = Counter()
        self.forced_tokens: Counter[Subject] = Counter()

    @rule(
        target=open_leases,
        payer=st.sampled_from([PAYER, OTHER_KEY]),
        tokens=st.integers(0, 1_200),
        nanos=st.integers(0, 20 * CENT),
    )
    def lend(self, payer: Payer, tokens: int, nanos: int) -> object:
        amount = Amount(tokens, nanos)
        quotas = Quotas(self.of_key, self.of_tenant)
        at_once(self.accounts.informed(payer, quotas))
        try:
            _, held = self.accounts.lend(payer, quotas, amount)
        except ComptoirError as refusal:
            assert refusal.retry_after_seconds > 0  # noqa: PT017 - one outcome of two
            return multiple()
        for subject, quota in zip(subjects(payer), quotas, strict=True):
            self._check_room(subject, quota, amount)
            self._hold(subject, amount)
            self.requests[subject] += 1
            self.tokens[subject] += tokens
        return payer, held

    def _check_room(self, subject: Subject, quota: Quota, asked: Amount) -> None:
        held_tokens, held_nanos = self.held[subject, "tokens"], self.held[subject, "nanos"]
        day, month = self.day, month_of(self.day)
        assert self.places[subject] < quota.concurrency, "oversold"
        if asked.tokens:
            of_day, of_month = self.spent[subject, day, "tokens"], self.spent[subject, month, "tokens"]
            assert of_day + held_tokens + asked.tokens <= quota.tokens_per_day, "oversold"
            assert of_month + held_tokens + asked.tokens <= quota.tokens_per_month, "oversold"
        if asked.nanos:
            budget, spent = quota.money_per_month_cents * CENT, self.spent[subject, month, "nanos"]
            assert spent + held_nanos + asked.nanos <= budget, "oversold"

    @rule(lease=consumes(open_leases), tokens=st.integers(0, 1_500), nanos=st.integers(0, 25 * CENT))
    def settle(self, lease: tuple[Payer, Held], tokens: int, nanos: int) -> None:
        self._settle(*lease, Amount(tokens, nanos))
        self._vacate(lease[0])

    @rule(lease=consumes(open_leases))
    def cancel(self, lease: tuple[Payer, Held]) -> None:
        payer, held = lease
        self._settle(payer, held, NOTHING)
        self.accounts.give_request(payer)
        self.requests.subtract(subjects(payer))
        self._vacate(payer)

    @rule(target=lost_leases, lease=consumes(open_leases))
    def lose(self, lease: tuple[Payer, Held]) -> tuple[Payer, Held]:
        """Its process is gone: the place is free, and the rest stays held."""
        self._vacate(lease[0])
        return lease

    @rule(lease=consumes(lost_leases), tokens=st.integers(0, 1_500))
    def settle_what_was_lost(self, lease: tuple[Payer, Held], tokens: int) -> None:
        self._settle(*lease, Amount(tokens))

    @rule(target=open_leases, lease=consumes(lost_leases))
    def find_again(self, lease: tuple[Payer, Held]) -> tuple[Payer, Held]:
        """Its process was not gone: it takes its place again, whatever the limit says."""
        self.accounts.occupy(lease[0])
        self.places.update(subjects(lease[0]))
        return lease

    @rule(seconds=st.floats(0, 30))
    def wait(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.accounts.forget_idle()

    @rule(hours=st.integers(-40 * 24, 40 * 24))
    def set_wall_clock(self, hours: int) -> None:
        self.clock.set_wall(self.clock.wall_microseconds() + hours * 3_600_000_000)

    @invariant()
    def no_more_is_lent_than_a_minute_holds(self) -> None:
        minutes = 1 + (self.clock.monotonic_seconds() - self.start_seconds) / 60
        for subject in subjects(PAYER):
            quota = self.of_key if subject.kind is SubjectKind.KEY else self.of_tenant
            assert self.requests[subject] <= quota.requests_per_minute * minutes + 1e-6
            tokens = self.tokens[subject] - self.forced_tokens[subject]
            assert tokens <= quota.tokens_per_minute * minutes + 1e-6

    @invariant()
    def everything_is_held_or_spent_where_it_belongs(self) -> None:
        key_places = self.places[subjects(PAYER)[0]] + self.places[subjects(OTHER_KEY)[0]]
        assert self.accounts.in_flight == key_places
        for subject in {*subjects(PAYER), *subjects(OTHER_KEY)}:
            told = at_once(self.accounts.spending(subject))
            held_tokens, month = self.held[subject, "tokens"], month_of(self.day)
            assert told.day_tokens == self.spent[subject, self.day, "tokens"] + held_tokens
            assert told.month_tokens == self.spent[subject, month, "tokens"] + held_tokens
            of_month = self.spent[subject, month, "nanos"] + self.held[subject, "nanos"]
            assert told.month_money_nanos == of_month

    @property
    def day(self) -> int:
        return day_of(self.clock.wall_microseconds() // 1000)

    def _settle(self, payer: Payer, held: Held, used: Amount) -> None:
        self.accounts.settle(payer, held, used)
        for subject in subjects(payer):
            self._hold(subject, NOTHING.minus(held.amount), places=0)
            for period in (self.day, month_of(self.day)):
                self.spent[subject, period, "tokens"] += used.tokens
                self.spent[subject, period, "nanos"] += used.nanos
            self.tokens[subject] += used.tokens - held.amount.tokens
            self.forced_tokens[subject] += max(0, used.tokens - held.amount.tokens)

    def _hold(self, subject: Subject, amount: Amount, places: int = 1) -> None:
        self.held[subject, "tokens"] += amount.tokens
        self.held[subject, "nanos"] += amount.nanos
        self.places[subject] += places

    def _vacate(self, payer: Payer) -> None:
        self.accounts.vacate(payer)
        self.places.subtract(subjects(payer))


def subjects(payer: Payer) -> tuple[Subject, Subject]:
    return Subject(SubjectKind.KEY, payer.key), Subject(SubjectKind.TENANT, payer.tenant)


TestRequests = Requests.TestCase
TestRequests.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
