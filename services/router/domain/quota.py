"""What every key may still use: requests and tokens of a minute, and places for requests in flight."""

from dataclasses import dataclass
from typing import Final

from services.kernel.errors import ComptoirError, Numbers, Reason
from services.kernel.quota import QuotaState
from services.router.domain.bucket import Bucket
from services.router.domain.tenancy import Quota

_CONCURRENCY_RETRY_SECONDS: Final = 1.0


@dataclass(slots=True)
class _Account:
    requests: Bucket
    tokens: Bucket

    def refill(self, quota: Quota, now_seconds: float) -> None:
        self.requests.refill(quota.requests_per_minute, now_seconds)
        self.tokens.refill(quota.tokens_per_minute, now_seconds)

    def is_full(self, now_seconds: float) -> bool:
        self.requests.refill(self.requests.per_minute, now_seconds)
        self.tokens.refill(self.tokens.per_minute, now_seconds)
        return self.requests.is_full and self.tokens.is_full

    def state(self) -> QuotaState:
        return QuotaState(
            limit_requests=self.requests.per_minute,
            remaining_requests=self.requests.remaining,
            limit_tokens=self.tokens.per_minute,
            remaining_tokens=self.tokens.remaining,
            reset_requests_seconds=self.requests.seconds_until_full(),
            reset_tokens_seconds=self.tokens.seconds_until_full(),
        )

    def refusal(self, reason: Reason, numbers: Numbers, wait_seconds: float) -> ComptoirError:
        return ComptoirError(reason, retry_after_seconds=wait_seconds, numbers=numbers, quota=self.state())


class QuotaAccounts:
    """The quota of every key; never lends more than a quota holds."""

    def __init__(self) -> None:
        self._accounts: dict[int, _Account] = {}
        # Apart, since what runs is known of keys too that have asked for nothing since the router started.
        self._in_flight: dict[int, int] = {}

    @property
    def in_flight(self) -> int:
        """Returns how many places are taken, of all keys together."""
        return sum(self._in_flight.values())

    def lend(self, key: int, quota: Quota, tokens: int, now_seconds: float) -> QuotaState:
        """Takes a request, its tokens and a place, or nothing and raises which part of the quota is spent."""
        account = self._account(key, quota, now_seconds)
        # The longer wait of the two is the one after which the request is let through.
        requests_seconds, tokens_seconds = (
            account.requests.seconds_until(1),
            account.tokens.seconds_until(tokens),
        )
        if requests_seconds > 0 and requests_seconds >= tokens_seconds:
            numbers = Numbers(quota.requests_per_minute, 1, account.requests.remaining)
            raise account.refusal(Reason.REQUESTS_EXHAUSTED, numbers, requests_seconds)
        if tokens_seconds > 0:
            numbers = Numbers(quota.tokens_per_minute, tokens, account.tokens.remaining)
            raise account.refusal(Reason.TOKENS_EXHAUSTED, numbers, tokens_seconds)
        self._check_place(key, quota, account)
        account.requests.take(1)
        account.tokens.take(tokens)
        self.occupy(key)
        return account.state()

    def lend_again(self, key: int, quota: Quota, tokens: int, now_seconds: float) -> int:
        """Takes another place and tokens for a request that has some, or raises what is not left of them."""
        account = self._account(key, quota, now_seconds)
        wait_seconds = account.tokens.seconds_until(tokens)
        if wait_seconds > 0:
            numbers = Numbers(quota.tokens_per_minute, tokens, account.tokens.remaining)
            raise account.refusal(Reason.TOKENS_EXHAUSTED, numbers, wait_seconds)
        self._check_place(key, quota, account)
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
        wait_seconds = account.requests.seconds_until(1)
        if wait_seconds > 0:
            numbers = Numbers(quota.requests_per_minute, 1, account.requests.remaining)
            raise account.refusal(Reason.REQUESTS_EXHAUSTED, numbers, wait_seconds)
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
        account.tokens.refill(account.tokens.per_minute, now_seconds)
        account.tokens.give(-tokens)
        return tokens

    def give_request(self, key: int, now_seconds: float) -> None:
        """Gives back a request that was never made."""
        account = self._accounts.get(key)
        if account is not None:
            account.requests.refill(account.requests.per_minute, now_seconds)
            account.requests.give(1)

    def forget_idle(self, now_seconds: float) -> None:
        """Drops the accounts of keys that nothing is lent to and nothing was taken from lately."""
        idle = [key for key, account in self._accounts.items() if account.is_full(now_seconds)]
        for key in idle:
            if key not in self._in_flight:
                del self._accounts[key]

    def _check_place(self, key: int, quota: Quota, account: _Account) -> None:
        if 0 < quota.concurrency <= self._in_flight.get(key, 0):
            numbers = Numbers(quota.concurrency, 1)
            raise account.refusal(Reason.CONCURRENCY_EXHAUSTED, numbers, _CONCURRENCY_RETRY_SECONDS)

    def _account(self, key: int, quota: Quota, now_seconds: float) -> _Account:
        account = self._accounts.get(key)
        if account is None:
            account = self._accounts[key] = _Account(
                Bucket.full(quota.requests_per_minute, now_seconds),
                Bucket.full(quota.tokens_per_minute, now_seconds),
            )
        account.refill(quota, now_seconds)
        return account
