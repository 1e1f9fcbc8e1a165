"""What a reader of the rules would keep of leases, beside the store that is tried."""

from collections import Counter
from dataclasses import dataclass, field

from services.kernel.identity import Identity
from services.router.domain.amount import NOTHING, Amount
from services.router.domain.lease import MAX_TICKETS, Process
from services.router.domain.quota import Payer, nanos_of
from services.router.domain.spending import Subject, SubjectKind, month_of
from services.router.domain.tenancy import Quota


@dataclass
class Model:
    """A lease as a reader of the rules would keep it."""

    payer: Payer
    amount: Amount
    reserved_until: float
    tickets: dict[Identity, Process] = field(default_factory=dict)
    unused: set[Identity] = field(default_factory=set)
    is_released: bool = False
    is_doubtful: bool = False
    # It was released or is over: no further ticket of it is signed.
    is_closed: bool = False

    @property
    def may_go_on(self) -> bool:
        return not self.is_closed and 0 < len(self.tickets) < MAX_TICKETS


@dataclass
class Place:
    """What a holder has taken, until when, and for which process."""

    lease_id: Identity
    payer: Payer
    amount: Amount
    until: float
    process: Process | None = None


def subjects(payer: Payer) -> tuple[Subject, Subject]:
    return Subject(SubjectKind.KEY, payer.key), Subject(SubjectKind.TENANT, payer.tenant)


@dataclass
class Sums:
    """All that was ever spent, by whom and when, and what may be lent of a minute since a moment."""

    spent: dict[tuple[Subject, int], Amount] = field(default_factory=dict)
    net_tokens: Counter[Subject] = field(default_factory=Counter)
    forced_tokens: Counter[Subject] = field(default_factory=Counter)
    requests: Counter[Subject] = field(default_factory=Counter)

    def spend(self, payer: Payer, amount: Amount, day: int) -> None:
        for subject in subjects(payer):
            self.net_tokens[subject] += amount.tokens
            for period in (day, month_of(day)):
                self.spent[subject, period] = self.spent_in(subject, period).plus(amount)

    def force(self, payer: Payer, amount: Amount) -> None:
        """Counts what was taken without asking."""
        for subject in subjects(payer):
            self.forced_tokens[subject] += amount.tokens

    def spent_in(self, subject: Subject, period: int) -> Amount:
        return self.spent.get((subject, period), NOTHING)

    def check_room(self, subject: Subject, quota: Quota, day: int, held: Amount) -> None:
        """Fails where what is held, what was asked for last among it, is beyond a limit."""
        of_day, of_month = (self.spent_in(subject, period) for period in (day, month_of(day)))
        assert of_day.tokens + held.tokens <= quota.tokens_per_day, "oversold"
        assert of_month.tokens + held.tokens <= quota.tokens_per_month, "oversold"
        assert of_month.nanos + held.nanos <= nanos_of(quota), "oversold"
