"""The accounts of all keys and tenants: what a request takes, it takes of both, or of neither."""

from collections.abc import Collection
from functools import lru_cache
from typing import Final

from services.kernel.clock import Clock
from services.kernel.errors import ComptoirError, Reason
from services.kernel.quota import QuotaState, Spending
from services.router.domain.amount import NOTHING, Amount
from services.router.domain.bucket import whole_milliseconds
from services.router.domain.quota import (
    Account,
    Held,
    Moment,
    Payer,
    Quotas,
    Side,
    check,
    has_windows,
    state_of,
)
from services.router.domain.spending import Subject, SubjectKind, day_of
from services.router.domain.spending_book import SpendingBook

_NO_HOLD: Final = Held()
# A day may be over while it is read what was used in it.
_MOST_TURNS: Final = 3
_RETRY_SECONDS: Final = 1.0
# In one step: some milliseconds.
_LOOKED_AT_ONCE: Final = 2_048


class Accounts:
    """Never lends more than a quota holds.

    What is in flight is held against the day and the month of now, and its settlement is charged to those in
    which it comes: what was begun before midnight is never lent again.
    """

    def __init__(self, clock: Clock, book: SpendingBook) -> None:
        self._clock = clock
        self._book = book
        self._accounts: dict[Subject, Account] = {}
        # For those that are idle.
        self._to_look_at: list[Subject] = []

    @property
    def in_flight(self) -> int:
        """Returns how many places are taken, of all keys together."""
        accounts = self._accounts.items()
        return sum(account.in_flight for subject, account in accounts if subject.kind is SubjectKind.KEY)

    async def informed(self, payer: Payer, quotas: Quotas) -> None:
        """Returns once it is known what was used before of each limit of a day or a month.

        QUOTA_UNAVAILABLE where nobody can say.
        """
        for _ in range(_MOST_TURNS):
            unknown = self._unknown(payer, quotas)
            if not unknown:
                return
            await self._learn(unknown)
        raise _unavailable()

    async def spending(self, subject: Subject) -> Spending:
        """Returns what a subject used and holds; QUOTA_UNAVAILABLE where nobody can say."""
        await self._learn([subject])
        moment = self._moment()
        account = self._account(subject, moment)
        account.turn(moment.day)
        return account.spent.told(account.held)

    def lend(self, payer: Payer, quotas: Quotas, amount: Amount) -> tuple[QuotaState, Held]:
        """Takes a request, an amount and a place, or nothing and raises which limit is in the way longest."""
        moment = self._moment()
        sides = self._sides(payer, quotas, moment)
        check(sides, 1, amount, moment)
        for side in sides:
            side.account.requests.take(1)
        held = _hold(sides, amount)
        return state_of(sides), held

    def lend_again(self, payer: Payer, quotas: Quotas, amount: Amount) -> Held:
        """Takes another place and amount for a request that has some, or raises what is not left of them."""
        moment = self._moment()
        sides = self._sides(payer, quotas, moment)
        check(sides, 0, amount, moment)
        return _hold(sides, amount)

    def lend_unasked(self, payer: Payer, quotas: Quotas, amount: Amount) -> tuple[QuotaState, Held]:
        """Takes a place and an amount for a request that was admitted before and lost what it had."""
        sides = self._sides(payer, quotas, self._moment())
        held = _hold(sides, amount)
        return state_of(sides), held

    def lend_behind(self, payer: Payer, quotas: Quotas, amount: Amount) -> tuple[QuotaState, Held]:
        """Takes a request, an amount and a place that were lent elsewhere, without asking."""
        sides = self._sides(payer, quotas, self._moment())
        for side in sides:
            side.account.requests.take(1)
        held = _hold(sides, amount)
        return state_of(sides), held

    def state(self, payer: Payer, quotas: Quotas) -> QuotaState:
        """Returns what is left of the minute."""
        return state_of(self._sides(payer, quotas, self._moment()))

    def hold(self, payer: Payer, amount: Amount) -> Held:
        """Takes a place and an amount without asking: what runs already is not made undone by a limit."""
        accounts = self._both(payer)
        taken = [account.hold(amount) for account in accounts]
        return Held(amount, *taken)

    def spend_request(self, payer: Payer, quotas: Quotas) -> QuotaState:
        """Takes a request that uses no tokens and no place, or raises that those of the minute are spent."""
        moment = self._moment()
        sides = self._sides(payer, quotas, moment)
        check(sides, 1, None, moment)
        for side in sides:
            side.account.requests.take(1)
        return state_of(sides)

    def settle(self, payer: Payer, held: Held, used: Amount) -> None:
        """Charges what was used in place of what was held."""
        taken = (held.of_key, held.of_tenant)
        subjects = _subjects(payer)
        for subject, account, tokens in zip(subjects, self._both(payer), taken, strict=False):
            account.take_tokens(used.tokens - tokens)
            if held.amount is not NOTHING:
                account.held = account.held.minus(held.amount)
            if used != NOTHING:
                account.spent.add(used)
                self._book.note(subject, account.spent)

    def charge(self, payer: Payer, used: Amount) -> None:
        """Charges what was used and nobody held."""
        self.settle(payer, _NO_HOLD, used)

    def occupy(self, payer: Payer) -> None:
        """Takes a place without asking, for what is held already."""
        for account in self._as_they_are(payer):
            account.in_flight += 1

    def vacate(self, payer: Payer) -> None:
        """Gives a place back."""
        for account in self._as_they_are(payer):
            account.in_flight -= 1

    def give_request(self, payer: Payer) -> None:
        """Gives back a request that was never made."""
        for account in self._both(payer):
            account.requests.give(1)

    def forget_idle(self) -> None:
        """Drops accounts of those that hold nothing, took nothing lately, and spent nothing this month.

        It looks at some of them at a time: of those that spent something this month there may be many.
        """
        moment = self._moment()
        if not self._to_look_at:
            self._to_look_at = list(self._accounts)
        for subject in self._to_look_at[-_LOOKED_AT_ONCE:]:
            account = self._accounts.get(subject)
            if account is not None:
                account.catch_up(moment)
                if account.is_idle:
                    del self._accounts[subject]
        del self._to_look_at[-_LOOKED_AT_ONCE:]

    def _unknown(self, payer: Payer, quotas: Quotas) -> list[Subject]:
        moment = None
        unknown = []
        for subject, quota in zip(_subjects(payer), quotas, strict=False):
            if has_windows(quota):
                moment = moment or self._moment()
                account = self._account(subject, moment)
                account.turn(moment.day)
                if not account.spent.is_known:
                    unknown.append(subject)
        return unknown

    async def _learn(self, subjects: Collection[Subject]) -> None:
        try:
            found = await self._book.read(subjects, self._moment().day)
        except ComptoirError:
            raise _unavailable() from None
        moment = self._moment()
        for subject, before in found.items():
            account = self._account(subject, moment)
            account.turn(moment.day)
            if before.day == account.spent.day:
                account.spent.learn(before.of_day, before.of_month)

    def _sides(self, payer: Payer, quotas: Quotas, moment: Moment) -> tuple[Side, ...]:
        sides = []
        for subject, quota in zip(_subjects(payer), quotas, strict=False):
            account = self._account(subject, moment)
            account.ask(quota, moment)
            sides.append(Side(account, quota, subject.kind is SubjectKind.TENANT))
        return tuple(sides)

    def _both(self, payer: Payer) -> list[Account]:
        moment, accounts = self._moment(), self._as_they_are(payer)
        for account in accounts:
            account.catch_up(moment)
        return accounts

    def _as_they_are(self, payer: Payer) -> list[Account]:
        return [self._accounts.get(one) or self._account(one, self._moment()) for one in _subjects(payer)]

    def _account(self, subject: Subject, moment: Moment) -> Account:
        account = self._accounts.get(subject)
        if account is None:
            account = self._accounts[subject] = Account.new(moment)
        return account

    def _moment(self) -> Moment:
        wall_milliseconds = self._clock.wall_microseconds() // 1000
        milliseconds = whole_milliseconds(self._clock.monotonic_seconds())
        return Moment(milliseconds, wall_milliseconds, day_of(wall_milliseconds))


def _hold(sides: tuple[Side, ...], amount: Amount) -> Held:
    taken = [side.account.hold(amount) for side in sides]
    return Held(amount, *taken)


@lru_cache(maxsize=4096)
def _subjects(payer: Payer) -> tuple[Subject, ...]:
    if not payer.key:
        # A replica of an older version did not say whose the request was.
        return ()
    key = Subject(SubjectKind.KEY, payer.key)
    return (key, Subject(SubjectKind.TENANT, payer.tenant)) if payer.tenant else (key,)


def _unavailable() -> ComptoirError:
    return ComptoirError(Reason.QUOTA_UNAVAILABLE, retry_after_seconds=_RETRY_SECONDS)
