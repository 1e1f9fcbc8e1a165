"""What the directory keeps of one replica: its session, its last report, and what that does not hold yet."""

from collections import deque
from dataclasses import dataclass, field
from typing import Final

from services.kernel.identity import Identity
from services.router.domain.placement.backlog import Backlog
from services.router.domain.placement.replica import NO_CLAIMS, Claims, Load, Registration, Replica
from services.router.domain.placement.work import backlog_of

# A ticket is used within milliseconds: what was sent so long before a report is in its numbers, or is not
# coming. A replica tells one router that it accepted, and where several share a store mostly another one.
_HELD_AFTER_SECONDS: Final = 0.5


@dataclass(slots=True)
class Entry:
    """One replica of the directory."""

    session: Identity
    registration: Registration
    registered_at_seconds: float
    reported_at_seconds: float
    clock_offset_seconds: float | None = None
    load: Load | None = None
    holders: set[Identity] = field(default_factory=set)
    # What of them its reports do not hold yet.
    claims: dict[Identity, Claims] = field(default_factory=dict)
    # All of these together, kept beside them: they are asked for with every request, and may be thousands.
    claimed: Claims = NO_CLAIMS
    # When each was sent, in that order.
    sent: deque[tuple[float, Identity]] = field(default_factory=deque)
    backlog: Backlog | None = None
    # What others are told, until anything of it changes.
    known: Replica | None = None

    def claim(self, holder: Identity, claims: Claims, now_seconds: float) -> None:
        """Adds what a request may use that was sent now."""
        self.claims[holder] = claims
        self.claimed = self.claimed.plus(claims)
        self.sent.append((now_seconds, holder))
        if self.backlog is not None:
            self.backlog = self.backlog.with_more(claims.input_tokens, now_seconds)

    def unclaim(self, holder: Identity) -> None:
        """Takes off what a request may use: the report that says that it was accepted has it."""
        claims = self.claims.pop(holder, None)
        if claims is not None:
            self.claimed = self.claimed.minus(claims)
            if self.backlog is not None:
                self.backlog = self.backlog.without(claims.input_tokens)

    def hear(self, load: Load, now_seconds: float) -> None:
        """Keeps a load, and takes off what it has in its numbers, accepted here or not."""
        heard_seconds = now_seconds - _HELD_AFTER_SECONDS
        while self.sent and self.sent[0][0] <= heard_seconds:
            self.unclaim(self.sent.popleft()[1])
        self.load = load
        self.backlog = backlog_of(load, self.claimed.input_tokens, now_seconds)
