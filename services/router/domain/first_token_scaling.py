"""How many replicas a model should have for its first tokens: up in steps, down in single ones, and late."""

import math
from dataclasses import dataclass
from typing import Final

from services.contract.first_tokens import WINDOW_SECONDS

# Of what is there; one replica at least.
_STEP_SHARE: Final = 0.25
# A replica less is no risk where first tokens take no longer than this share of what they may.
_CALM_SHARE: Final = 0.5
# As few as were too few are not tried again before so many times `down_seconds`, and twice as many each time
# that they are too few again, so often at most.
_RETRY_TIMES: Final = 4
_MOST_DOUBLED: Final = 6
# After a router's start: its replicas register and report within seconds, one after the other.
_TAKE_OVER_SECONDS: Final = 60.0
# Where fewer interactive requests had a first token in the last minute, nothing is known of them.
LEAST_SAMPLES: Final = 20


@dataclass(frozen=True, slots=True)
class Bounds:
    """How long first tokens may take, how long calm has to last, and the most replicas."""

    ttft_p95_seconds: float
    down_seconds: float
    max_replicas: int


class FirstTokenScaling:
    """One model's decisions, each made with those before it; times never go back.

    A step up comes when what the step before asked for has been ready for as long as first tokens are
    counted: before that, they say nothing of it. Between the target and half of it nothing changes. A step
    down is of one replica, and not soon to a number that was too few.
    """

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self._wanted = 0
        self._started_at_seconds: float | None = None
        self._settled_at_seconds: float | None = None
        self._calm_at_seconds: float | None = None
        # With how many replicas first tokens took too long last, and when.
        self._too_few, self._too_few_at_seconds, self._too_few_again = 0, -math.inf, 0

    def decide(self, ttft_p95_seconds: float | None, *, ready: int, starting: int, now_seconds: float) -> int:
        """Returns how many replicas are wanted; 0 where first tokens ask for none.

        `ttft_p95_seconds` is that of the last minute, None where too few requests had a first token.
        """
        self._take_over(ready, now_seconds)
        self._note_settled(ready, starting, now_seconds)
        if ttft_p95_seconds is not None and ttft_p95_seconds > self._bounds.ttft_p95_seconds:
            self._calm_at_seconds = None
            self._step_up(ready, now_seconds)
        elif ready > self._wanted:
            # What the step before let go is still there: how it is without is not known yet.
            self._calm_at_seconds = now_seconds
        else:
            self._step_down(ttft_p95_seconds, now_seconds)
        return self._wanted

    def _take_over(self, ready: int, now_seconds: float) -> None:
        """Wants what is there at first: by that it is known what a router before this one wanted."""
        if self._started_at_seconds is None:
            self._started_at_seconds = now_seconds
        if now_seconds - self._started_at_seconds < _TAKE_OVER_SECONDS:
            self._wanted = max(self._wanted, min(ready, self._bounds.max_replicas))

    def _note_settled(self, ready: int, starting: int, now_seconds: float) -> None:
        if starting or ready < self._wanted:
            self._settled_at_seconds = None
        elif self._settled_at_seconds is None:
            self._settled_at_seconds = now_seconds

    def _step_up(self, ready: int, now_seconds: float) -> None:
        settled_at_seconds = self._settled_at_seconds
        if settled_at_seconds is None or now_seconds - settled_at_seconds < WINDOW_SECONDS:
            return
        self._too_few_again = self._too_few_again + 1 if ready == self._too_few else 0
        self._too_few, self._too_few_at_seconds = ready, now_seconds
        step = max(1, math.ceil(ready * _STEP_SHARE))
        self._wanted = min(ready + step, self._bounds.max_replicas)
        self._settled_at_seconds = now_seconds

    def _step_down(self, ttft_p95_seconds: float | None, now_seconds: float) -> None:
        calm_seconds = self._bounds.ttft_p95_seconds * _CALM_SHARE
        if ttft_p95_seconds is not None and ttft_p95_seconds > calm_seconds:
            self._calm_at_seconds = None
        elif self._calm_at_seconds is None:
            self._calm_at_seconds = now_seconds
        elif now_seconds - self._calm_at_seconds >= self._bounds.down_seconds:
            self._calm_at_seconds = now_seconds
            self._wanted = 0 if ttft_p95_seconds is None else self._one_fewer(now_seconds)

    def _one_fewer(self, now_seconds: float) -> int:
        wanted = self._wanted
        times = _RETRY_TIMES * 2 ** min(self._too_few_again, _MOST_DOUBLED)
        retry_seconds = self._too_few_at_seconds + times * self._bounds.down_seconds
        is_too_few = wanted - 1 <= self._too_few and now_seconds < retry_seconds
        return wanted if is_too_few else max(0, wanted - 1)
