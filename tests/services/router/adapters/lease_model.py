"""What a reader of the rules would keep of leases, beside the store that is tried."""

from dataclasses import dataclass, field

from services.kernel.identity import Identity
from services.kernel.quota import QuotaState
from services.router.domain.lease import MAX_TICKETS, Process
from services.router.domain.quota import QuotaAccounts
from services.router.domain.tenancy import Quota


class Ledger(QuotaAccounts):
    """Real accounts that also remember, without end, what was taken net of what came back."""

    def __init__(self) -> None:
        super().__init__()
        self.tokens = 0
        self.requests = 0

    def lend(self, key: int, quota: Quota, tokens: int, now_seconds: float) -> QuotaState:
        state = super().lend(key, quota, tokens, now_seconds)
        self.tokens += tokens
        self.requests += 1
        return state

    def charge(self, key: int, tokens: int, now_seconds: float) -> int:
        charged = super().charge(key, tokens, now_seconds)
        self.tokens += charged
        return charged

    def give_request(self, key: int, now_seconds: float) -> None:
        super().give_request(key, now_seconds)
        self.requests -= 1

    def forget_idle(self, now_seconds: float) -> None:
        """Keeps the account, so that every charge can be followed."""


@dataclass
class Model:
    """A lease as a reader of the rules would keep it."""

    tokens: int
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
    """Tokens that a holder has taken, until when, and for which process."""

    lease_id: Identity
    tokens: int
    until: float
    process: Process | None = None
