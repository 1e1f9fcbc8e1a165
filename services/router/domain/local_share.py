"""What one of several routers lends by itself while the store that they share is away."""

from typing import Final

from services.kernel.clock import Clock
from services.router.domain.accounts import Accounts
from services.router.domain.bucket import Bucket, whole_milliseconds
from services.router.domain.quota import Account, Moment, Quotas
from services.router.domain.spending import Subject
from services.router.domain.spending_book import SpendingBook
from services.router.domain.tenancy import Quota

# Of these a part is known to be unused. How much of a budget is spent, only the store knows.
_DIVIDED: Final = frozenset({"requests_per_minute", "tokens_per_minute", "concurrency"})


def shares_of(quotas: Quotas, tokens: int, routers: int) -> Quotas | None:
    """Returns the parts of what a key and its tenant may use that each of so many routers may lend.

    None where either has none, or none that can hold so many tokens.
    """
    key, tenant = (share_of(quota, routers) for quota in quotas)
    if key is None or tenant is None:
        return None
    if any(0 < share.tokens_per_minute < tokens for share in (key, tenant)):
        return None
    return Quotas(key, tenant)


def share_of(quota: Quota, routers: int) -> Quota | None:
    """Returns the part of a quota that each of so many routers may lend, rounded down.

    None where there is none: a limit is smaller than the number of routers, or a budget is among the limits.
    """
    limits = {name: limit for name, limit in quota if limit}
    if limits.keys() - _DIVIDED or any(limit < routers for limit in limits.values()):
        return None
    return Quota(**{name: limit // routers for name, limit in limits.items()})


class ShareAccounts(Accounts):
    """Accounts that are empty at the beginning, since what is left of the minute before is not known.

    So that what is lent here is no more than what the store would have got back in the same time.
    """

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock, SpendingBook())
        self._began_milliseconds = whole_milliseconds(clock.monotonic_seconds())

    def _account(self, subject: Subject, moment: Moment) -> Account:
        account = super()._account(subject, moment)
        if not account.is_asked:
            account.is_asked = True
            account.requests = Bucket(0, 0, self._began_milliseconds)
            account.tokens = Bucket(0, 0, self._began_milliseconds)
        return account
