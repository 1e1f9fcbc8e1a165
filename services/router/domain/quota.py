"""What a key or a tenant may still use: of the minute, of places in flight, of the day and the month."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

from services.kernel.errors import ComptoirError, Numbers, Reason
from services.kernel.quota import QuotaState
from services.router.domain.amount import NOTHING, Amount
from services.router.domain.bucket import Bucket
from services.router.domain.spending import Spent, end_of_day_seconds, end_of_month_seconds, month_of
from services.router.domain.tenancy import Key, Quota

# What another ticket of a lease may find that it has nothing left of, and what a request may.
SPENT: Final = frozenset(
    {
        Reason.TOKENS_EXHAUSTED,
        Reason.CONCURRENCY_EXHAUSTED,
        Reason.DAY_TOKENS_EXHAUSTED,
        Reason.MONTH_TOKENS_EXHAUSTED,
        Reason.BUDGET_EXHAUSTED,
    }
)
OF_QUOTA: Final = SPENT | {Reason.REQUESTS_EXHAUSTED}
_CONCURRENCY_RETRY_SECONDS: Final = 1.0
_NANOS_IN_CENT: Final = 10_000_000


class Payer(NamedTuple):
    """Who is charged: a key, and its tenant; 0 where a replica of an older version names none."""

    tenant: int
    key: int

    @classmethod
    def of(cls, key: Key) -> "Payer":
        """Returns who pays for a request of a key."""
        return cls(key.tenant.number, key.number)


class Quotas(NamedTuple):
    """What a key may use, and what its tenant may with all its keys together."""

    key: Quota
    tenant: Quota

    @classmethod
    def of(cls, key: Key) -> "Quotas":
        """Returns what a request of a key is checked against."""
        return cls(key.quota, key.tenant.quota)


class Held(NamedTuple):
    """What a lease or a ticket holds, and how many tokens were taken for it of either minute.

    Of a minute that nobody had asked for nothing is taken: it is full, and its limit is not known. Nor of one
    without a limit, to which nothing is given back once it has one.
    """

    amount: Amount = NOTHING
    of_key: int = 0
    of_tenant: int = 0


class Moment(NamedTuple):
    """When something happens: by the clock of minutes, by the wall clock, and on which day of that."""

    milliseconds: int
    wall_milliseconds: int
    day: int


class Refused(NamedTuple):
    """One limit that does not let a request through, and for how long not."""

    wait_seconds: float
    reason: Reason
    numbers: Numbers


def nanos_of(quota: Quota) -> int:
    """Returns the budget of a month in billionths; 0 means no limit."""
    return quota.money_per_month_cents * _NANOS_IN_CENT


def has_windows(quota: Quota) -> bool:
    """Tells whether anything of a day or a month is limited."""
    return bool(quota.tokens_per_day or quota.tokens_per_month or quota.money_per_month_cents)


@dataclass(slots=True)
class Account:
    """What one key or one tenant has taken and may still take.

    Its buckets mean something once its quota was asked for. What is in flight and held, and what was spent,
    is known without.
    """

    requests: Bucket
    tokens: Bucket
    spent: Spent
    is_asked: bool = False
    in_flight: int = 0
    held: Amount = NOTHING

    @classmethod
    def new(cls, moment: Moment) -> "Account":
        """Returns the account of who used nothing, as far as is known."""
        return cls(Bucket(0, 0, 0), Bucket(0, 0, 0), Spent(moment.day))

    @property
    def is_idle(self) -> bool:
        """Tells whether forgetting the account would change nothing."""
        is_unused = not self.in_flight and self.held == NOTHING
        is_unspent = self.spent.of_day == NOTHING and self.spent.of_month == NOTHING
        return is_unused and is_unspent and self.requests.is_full and self.tokens.is_full

    def turn(self, day: int) -> None:
        """Begins another day."""
        if day != self.spent.day:
            self.spent = self.spent.turned(day)

    def ask(self, quota: Quota, moment: Moment) -> None:
        """Refills for the time that passed; a changed quota holds from now on."""
        self.turn(moment.day)
        if self.is_asked:
            self.requests.refill(quota.requests_per_minute, moment.milliseconds)
            self.tokens.refill(quota.tokens_per_minute, moment.milliseconds)
            return
        self.is_asked = True
        self.requests = Bucket.full(quota.requests_per_minute, moment.milliseconds)
        self.tokens = Bucket.full(quota.tokens_per_minute, moment.milliseconds)

    def catch_up(self, moment: Moment) -> None:
        """Refills for the time that passed, under the quota that was asked for last."""
        self.turn(moment.day)
        if self.is_asked:
            self.requests.refill(self.requests.per_minute, moment.milliseconds)
            self.tokens.refill(self.tokens.per_minute, moment.milliseconds)

    def take_tokens(self, tokens: int) -> int:
        """Takes of the minute without asking, a negative number gives back; returns how many were taken."""
        if not (self.is_asked and self.tokens.per_minute):
            return 0
        self.tokens.give(-tokens)
        return tokens

    def hold(self, amount: Amount) -> int:
        """Takes a place and an amount without asking; returns how many tokens were taken of the minute."""
        self.held = self.held.plus(amount)
        self.in_flight += 1
        return self.take_tokens(amount.tokens)

    def lets(self, quota: Quota, requests: int, amount: Amount | None) -> bool:
        """Tells whether requests and an amount are left, and a place; None asks for requests alone."""
        if amount is None:
            return self.requests.has(requests)
        return (
            self.requests.has(requests)
            and self.tokens.has(amount.tokens)
            and not 0 < quota.concurrency <= self.in_flight
            and (not has_windows(quota) or next(self._windows(quota, amount), None) is None)
        )

    def refused(
        self, quota: Quota, requests: int, amount: Amount | None, wall_seconds: float
    ) -> Iterator[Refused]:
        """Yields every limit but that of places that does not let through what is asked for."""
        wait_seconds = self.requests.seconds_until(requests)
        if wait_seconds > 0:
            numbers = Numbers(self.requests.per_minute, requests, self.requests.remaining)
            yield Refused(wait_seconds, Reason.REQUESTS_EXHAUSTED, numbers)
        if amount is None:
            return
        wait_seconds = self.tokens.seconds_until(amount.tokens)
        if wait_seconds > 0:
            numbers = Numbers(self.tokens.per_minute, amount.tokens, self.tokens.remaining)
            yield Refused(wait_seconds, Reason.TOKENS_EXHAUSTED, numbers)
        for reason, numbers in self._windows(quota, amount):
            yield Refused(max(0.0, numbers.resets_at_seconds - wall_seconds), reason, numbers)

    def refused_place(self, quota: Quota) -> Refused | None:
        """Returns the limit of requests in flight, where so many are already."""
        if not 0 < quota.concurrency <= self.in_flight:
            return None
        numbers = Numbers(quota.concurrency, 1)
        return Refused(_CONCURRENCY_RETRY_SECONDS, Reason.CONCURRENCY_EXHAUSTED, numbers)

    def state(self) -> QuotaState:
        """Returns what is left of the minute, as answers say it."""
        return QuotaState(
            limit_requests=self.requests.per_minute,
            remaining_requests=self.requests.remaining,
            limit_tokens=self.tokens.per_minute,
            remaining_tokens=self.tokens.remaining,
            reset_requests_seconds=self.requests.seconds_until_full(),
            reset_tokens_seconds=self.tokens.seconds_until_full(),
        )

    def _windows(self, quota: Quota, amount: Amount) -> Iterator[tuple[Reason, Numbers]]:
        """Yields what is not left of the day and the month; who asks for nothing is let through."""
        asked, asked_nanos = amount
        day, month = self.spent.of_day.tokens, self.spent.of_month
        left = quota.tokens_per_day - day - self.held.tokens
        if quota.tokens_per_day and asked > max(0, left):
            end_seconds = end_of_day_seconds(self.spent.day)
            yield Reason.DAY_TOKENS_EXHAUSTED, _numbers(quota.tokens_per_day, asked, left, end_seconds)
        left = quota.tokens_per_month - month.tokens - self.held.tokens
        if quota.tokens_per_month and asked > max(0, left):
            end_seconds = end_of_month_seconds(month_of(self.spent.day))
            yield Reason.MONTH_TOKENS_EXHAUSTED, _numbers(quota.tokens_per_month, asked, left, end_seconds)
        left = nanos_of(quota) - month.nanos - self.held.nanos
        if quota.money_per_month_cents and asked_nanos > max(0, left):
            end_seconds = end_of_month_seconds(month_of(self.spent.day))
            limit, cents = quota.money_per_month_cents, -(-asked_nanos // _NANOS_IN_CENT)
            yield Reason.BUDGET_EXHAUSTED, _numbers(limit, cents, left // _NANOS_IN_CENT, end_seconds)


class Side(NamedTuple):
    """One of the two accounts that a request is checked against, and its quota."""

    account: Account
    quota: Quota
    is_of_tenant: bool


def check(sides: tuple[Side, ...], requests: int, amount: Amount | None, moment: Moment) -> None:
    """Raises the limit that takes longest to let through what is asked for, if any does not.

    One of places is named where no other is in the way: who waits for a place would wait in vain.
    """
    for side in sides:
        if not side.account.lets(side.quota, requests, amount):
            raise _refusal(sides, requests, amount, moment)


def _refusal(sides: tuple[Side, ...], requests: int, amount: Amount | None, moment: Moment) -> ComptoirError:
    found, wall_seconds = [], moment.wall_milliseconds / 1000
    for account, quota, is_of_tenant in sides:
        refused = account.refused(quota, requests, amount, wall_seconds)
        found += [(one, is_of_tenant) for one in refused]
    if not found:
        places = [(side.account.refused_place(side.quota), side.is_of_tenant) for side in sides]
        found = [(one, is_of_tenant) for one, is_of_tenant in places if one is not None]
    longest, is_of_tenant = max(found, key=lambda pair: pair[0].wait_seconds)
    limit, requested, available = longest.numbers.limit, longest.numbers.requested, longest.numbers.available
    resets_at_seconds = longest.numbers.resets_at_seconds
    return ComptoirError(
        longest.reason,
        retry_after_seconds=longest.wait_seconds,
        numbers=Numbers(limit, requested, available, is_of_tenant, resets_at_seconds),
        quota=state_of(sides),
    )


def state_of(sides: tuple[Side, ...]) -> QuotaState:
    """Returns what is left of the minute: of requests and of tokens, what the tighter account has."""
    state = sides[0].account.state()
    for account, quota, _ in sides[1:]:
        if quota.requests_per_minute or quota.tokens_per_minute:
            state = tighter(state, account.state())
    return state


def tighter(one: QuotaState, other: QuotaState) -> QuotaState:
    """Returns the requests of that of which fewer are left, and the tokens likewise."""
    requests = other if _is_tighter(other.limit_requests, other.remaining_requests, one, "requests") else one
    tokens = other if _is_tighter(other.limit_tokens, other.remaining_tokens, one, "tokens") else one
    return QuotaState(
        limit_requests=requests.limit_requests,
        remaining_requests=requests.remaining_requests,
        limit_tokens=tokens.limit_tokens,
        remaining_tokens=tokens.remaining_tokens,
        reset_requests_seconds=requests.reset_requests_seconds,
        reset_tokens_seconds=tokens.reset_tokens_seconds,
    )


def _is_tighter(limit: int, remaining: int, one: QuotaState, of: str) -> bool:
    limit_of_one, left_of_one = (
        (one.limit_requests, one.remaining_requests)
        if of == "requests"
        else (one.limit_tokens, one.remaining_tokens)
    )
    return limit > 0 and (limit_of_one == 0 or remaining < left_of_one)


def _numbers(limit: int, requested: int, left: int, end_seconds: int) -> Numbers:
    return Numbers(limit, requested, max(0, left), resets_at_seconds=end_seconds)
