"""When a replica that says nothing may be left for another one, and how many requests may do that."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

# Of the requests of late, and beyond that as many as one replica may have at once that hangs.
_HEDGED_SHARE: Final = 0.05
_MOST_AT_ONCE: Final = 100.0
# A ticket that nobody accepted is half as old then as it gets by default, and its lease is still there.
_ACCEPTED_WITHIN_SECONDS: Final = 5.0
# Behind a question that brought no ticket; each pause is twice the one before.
FIRST_PAUSE_SECONDS: Final = 1.0
LONGEST_PAUSE_SECONDS: Final = 30.0


class HedgeOutcome(StrEnum):
    """What became of one try to leave a replica."""

    MOVED = "moved"
    KEPT = "kept"
    """It spoke, or failed, while the router was asked."""
    BUSY = "busy"
    """The router says that it works, or that all others are full."""
    NOBODY_ELSE = "nobody_else"
    OVER_BUDGET = "over_budget"


class HedgeBudget:
    """How many more requests may leave who says nothing to them: each request adds a twentieth of one."""

    def __init__(self) -> None:
        self._left = _MOST_AT_ONCE

    def earn(self) -> None:
        """Takes note of a request."""
        self._add(_HEDGED_SHARE)

    def spend(self) -> bool:
        """Takes one, and tells whether there was one."""
        if self._left < 1:
            return False
        self._left -= 1
        return True

    def give_back(self) -> None:
        """Returns one that was taken and not used."""
        self._add(1)

    def _add(self, part: float) -> None:
        self._left = min(_MOST_AT_ONCE, self._left + part)


def _nobody(outcome: HedgeOutcome) -> None:
    del outcome


@dataclass(frozen=True, slots=True)
class Hedging:
    """The rules of one edge; `first_token_seconds` of 0 leaves nobody, `count` is told each outcome."""

    first_token_seconds: float = 0.0
    budget: HedgeBudget = field(default_factory=HedgeBudget)
    count: Callable[[HedgeOutcome], None] = _nobody

    @property
    def accepted_seconds(self) -> float:
        """How long a replica may take to accept a request."""
        return min(self.first_token_seconds, _ACCEPTED_WITHIN_SECONDS)
