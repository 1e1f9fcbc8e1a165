"""Whether a replica that failed its requests gets new ones: no, then one to try it, then all again."""

import math
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

# Failures further apart do not add up.
_WINDOW_SECONDS: Final = 30.0
_LONGEST_OPEN_SECONDS: Final = 60.0
# A request that is to try a replica and did not fail for so long has not failed.
_PROBE_SECONDS: Final = 10.0


class CircuitRules(BaseModel):
    """After how many failures a replica is left alone, and for how long."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    failures: int = Field(
        default=5,
        ge=0,
        le=1000,
        description="after so many requests in a row that a replica refused, lost or left without a token, "
        "each within 30 s of the one before, others get new ones as long as they can take them; 0 is never",
    )
    open_seconds: float = Field(
        default=5.0,
        gt=0,
        le=60,
        description="how long it is left alone then, before one request tries it; twice as long each time "
        "that fails, 60 s at most",
    )


class CircuitState(Enum):
    """Closed lets all requests in, open none, half open one at a time."""

    CLOSED = auto()
    OPEN = auto()
    HALF_OPEN = auto()


@dataclass(frozen=True, slots=True)
class Circuit:
    """What is remembered of one process of a replica; every change is another one."""

    failures: int = 0
    failed_at_seconds: float = -math.inf
    # How many times in a row it was opened.
    opened: int = 0
    open_until_seconds: float = -math.inf
    # Until when the request that tries it may fail; None where none is on its way.
    probe_until_seconds: float | None = None

    def state(self, now_seconds: float) -> CircuitState:
        """Returns the state at a moment."""
        if not self.opened:
            return CircuitState.CLOSED
        if now_seconds < self.open_until_seconds:
            return CircuitState.OPEN
        is_tried = self.probe_until_seconds is not None and now_seconds >= self.probe_until_seconds
        return CircuitState.CLOSED if is_tried else CircuitState.HALF_OPEN

    def lets_in(self, now_seconds: float) -> bool:
        """Tells whether a request may be sent there."""
        state = self.state(now_seconds)
        if state is CircuitState.HALF_OPEN:
            return self.probe_until_seconds is None
        return state is CircuitState.CLOSED

    def sent(self, now_seconds: float) -> "Circuit":
        """Returns the circuit after a request was sent there."""
        if self.state(now_seconds) is CircuitState.HALF_OPEN and self.probe_until_seconds is None:
            return replace(self, probe_until_seconds=now_seconds + _PROBE_SECONDS)
        return self

    def failed(self, now_seconds: float, rules: CircuitRules) -> "Circuit":
        """Returns the circuit after a request of that replica had to be sent elsewhere."""
        state = self.state(now_seconds)
        if rules.failures == 0 or state is CircuitState.OPEN:
            # Those that were sent before it opened fail one after the other.
            return self
        if state is CircuitState.HALF_OPEN:
            return _opened(self.opened + 1, now_seconds, rules)
        is_near = now_seconds - self.failed_at_seconds <= _WINDOW_SECONDS
        failures = self.failures + 1 if is_near else 1
        if failures >= rules.failures:
            return _opened(1, now_seconds, rules)
        return Circuit(failures, now_seconds)

    def served(self, now_seconds: float) -> "Circuit":
        """Returns the circuit after the replica answered a request."""
        # An answer that began before it opened says nothing of now.
        return self if self.state(now_seconds) is CircuitState.OPEN else CLOSED


CLOSED: Final = Circuit()


def _opened(times: int, now_seconds: float, rules: CircuitRules) -> Circuit:
    seconds = min(_LONGEST_OPEN_SECONDS, rules.open_seconds * 2.0 ** min(times - 1, 10))
    return Circuit(opened=times, open_until_seconds=now_seconds + seconds, failed_at_seconds=now_seconds)
