"""What every key may still use: requests and tokens of a minute, and places for requests in flight."""

from dataclasses import dataclass
from typing import Final

from services.kernel.errors import ComptoirError, Numbers, Reason
from services.kernel.quota import QuotaState
from services.router.domain.bucket import Bucket, whole_milliseconds
from services.router.domain.tenancy import Quota

_CONCURRENCY_RETRY_SECONDS: Final = 1.0


@dataclass(slots=True)
class Account:
    """What one key may still use of the minute."""

    requests: Bucket
    tokens: Bucket

    @classmethod
    def full(cls, quota: Quota, now_milliseconds: int) -> "Account":
        """Returns the account of a key that used nothing."""
        return cls(
            Bucket.full(quota.requests_per_minute, now_milliseconds),
            Bucket.full(quota.tokens_per_minute, now_milliseconds),
        )

    @property
    def is_full(self) -> bool:
        """Tells whether forgetting the account would change nothing."""
        return self.requests.is_full and self.tokens.is_full

    def refill(self, quota: Quota, now_milliseconds: int) -> None:
        """Refills for the time that passed; a changed quota holds from now on."""
        self.requests.refill(quota.requests_per_minute, now_milliseconds)
        self.tokens.refill(quota.tokens_per_minute, now_milliseconds)

    def catch_up(self, now_milliseconds: int) -> None:
        """Refills for the time that passed, under the quota that was asked for last."""
        self.requests.refill(self.requests.per_minute, now_milliseconds)
        self.tokens.refill(self.tokens.per_minute, now_milliseconds)

    def state(self) -> QuotaState:
        """Returns what is left, as answers say it."""
        return QuotaState(
            limit_requests=self.requests.per_minute,
            remaining_requests=self.requests.remaining,
            limit_tokens=self.tokens.per_minute,
            remaining_tokens=self.tokens.remaining,
            reset_requests_seconds=self.requests.seconds_until_full(),
            reset_tokens_seconds=self.tokens.seconds_until_full(),
        )

    def check_minute(self, requests: int, tokens: int | None) -> None:
        """Raises which part of the minute is spent, if requests or tokens are not left; None asks of none."""
        # The longer wait of the two is the one after which the request is let through.
        requests_seconds = self.requests.seconds_until(requests)
        tokens_seconds = 0.0 if tokens is None else self.tokens.seconds_until(tokens)
        if requests_seconds > 0 and requests_seconds >= tokens_seconds:
            numbers = Numbers(self.requests.per_minute, requests, self.requests.remaining)
            raise self._refusal(Reason.REQUESTS_EXHAUSTED, numbers, requests_seconds)
        if tokens is not None and tokens_seconds > 0:
            numbers = Numbers(self.tokens.per_minute, tokens, self.tokens.remaining)
            raise self._refusal(Reason.TOKENS_EXHAUSTED, numbers, tokens_seconds)

    def check_place(self, concurrency: int, in_flight: int) -> None:
        """Raises CONCURRENCY_EXHAUSTED if so many are in flight already; 0 means no limit."""
        if 0 < concurrency <= in_flight:
            numbers = Numbers(concurrency, 1)
            raise self._refusal(Reason.CONCURRENCY_EXHAUSTED, numbers, _CONCURRENCY_RETRY_SECONDS)

    def _refusal(self, reason: Reason, numbers: Numbers, wait_seconds: float) -> ComptoirError:
        return ComptoirError(reason, retry_after_seconds=wait_seconds, numbers=numbers, quota=self.state())


class QuotaAccounts:
    """The quota of every key; never lends more than a quota holds."""

    def __init__(self) -> None:
        self._accounts: dict[int, Account] = {}
        # Apart, since what runs is known of keys too that have asked for nothing since the router started.
        self._in_flight: dict[int, int] = {}

    @property
    def in_flight(self) -> int:
        """Returns how many places are taken, of all keys together."""
        return sum(self._in_flight.values())

    def lend(self, key: int, quota: Quota, tokens: int, now_seconds: float) -> QuotaState:
        """Takes a request, its tokens and a place, or nothing and raises which part of the quota is spent."""
        account = self._account(key, quota, now_seconds)
        account.check_minute(1, tokens)
        account.check_place(quota.concurrency, self._in_flight.get(key, 0))
        account.requests.take(1)
        account.tokens.take(tokens)
        self.occupy(key)
        return account.state()

    def lend_again(self, key: int, quota: Quota, tokens: int, now_seconds: float) -> int:
        """Takes another place and tokens for a request that has some, or raises what is not left of them."""
        account = self._account(key, quota, now_seconds)
        account.check_minute(0, tokens)
        account.check_place(quota.concurrency, self._in_flight.get(key, 0))
        account.tokens.take(tokens)
        self.occupy(key)
        return tokens

    def lend_unasked(self, key: int, quota: Quota, tokens: int, now_seconds: float) -> QuotaState:
        """Takes a place and tokens for a request that was admitted before and lost what it had."""
        account = self._account(key, quota, now_seconds)
        account.tokens.give(-tokens)
        self.occupy(key)
        return account.state()

    def spend_request(self, key: int, quota: Quota, now_seconds: float) -> QuotaState:
        """Takes a request that uses no tokens and no place, or raises that those of the minute are spent."""
        account = self._account(key, quota, now_seconds)
        account.check_minute(1, None)
        account.requests.take(1)
        return account.state()

    def occupy(self, key: int) -> None:
        """Takes a place without asking: what runs already is not made undone by a limit."""
        self._in_flight[key] = self._in_flight.get(key, 0) + 1

    def vacate(self, key: int) -> None:
        """Gives a place back."""
        self._in_flight[key] -= 1
        if self._in_flight[key] == 0:
            del self._in_flight[key]

    def charge(self, key: int, tokens: int, now_seconds: float) -> int:
        """Takes tokens without asking, a negative number gives back; returns how many were taken.

        That is 0 for a key whose quota nobody asked for: it is full, and its limits are not known.
        """
        account = self._accounts.get(key)
        if account is None:
            return 0
        account.catch_up(whole_milliseconds(now_seconds))
        account.tokens.give(-tokens)
        return tokens

    def give_request(self, key: int, now_seconds: float) -> None:
        """Gives back a request that was never made."""
        account = self._accounts.get(key)
        if account is not None:
            account.catch_up(whole_milliseconds(now_seconds))
            account.requests.give(1)

    def forget_idle(self, now_seconds: float) -> None:
        """Drops the accounts of keys that nothing is lent to and nothing was taken from lately."""
        now_milliseconds, idle = whole_milliseconds(now_seconds), []
        for key, account in self._accounts.items():
            account.catch_up(now_milliseconds)
            if account.is_full and key not in self._in_flight:
                idle.append(key)
        for key in idle:
            del self._accounts[key]

    def _account(self, key: int, quota: Quota, now_seconds: float) -> Account:
        account, now_milliseconds = self._accounts.get(key), whole_milliseconds(now_seconds)
        if account is None:
            account = self._accounts[key] = Account.full(quota, now_milliseconds)
        account.refill(quota, now_milliseconds)
        return account
