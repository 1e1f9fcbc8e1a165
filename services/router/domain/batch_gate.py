"""The one place where batch requests ask whether they may begin; it remembers what held them back before."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from services.kernel.clock import Clock
from services.kernel.errors import ComptoirError, Numbers, Reason
from services.router.domain.batch_holding import (
    HeldBy,
    Hold,
    Waits,
    hold_of,
    is_over_target,
    is_overdue,
    may_begin,
)
from services.router.domain.first_token_times import interactive_times
from services.router.domain.limits import RouterLimits
from services.router.domain.peak_windows import peak_left_seconds
from services.router.domain.ports import ReplicaDirectory

# What was found out is good for so long: the counts of all replicas are added up once in it.
_LOOK_SECONDS: Final = 0.5
_MICROSECONDS: Final = 1_000_000
_MILLISECONDS: Final = 1000


class InteractiveWaits(Protocol):
    """The interactive requests that have no replica yet."""

    def interactive_wait_seconds(self, model: int) -> float:
        """Returns how long the oldest of a model has waited; 0 where none does."""
        ...


@dataclass(slots=True)
class _Looked:
    hold: Hold
    at_seconds: float
    is_over: bool
    began_seconds: float = -math.inf


class BatchGate:
    """Holds batch requests of each model back, as the rules say, and lets one through now and then."""

    def __init__(
        self,
        replicas: ReplicaDirectory,
        waiting: InteractiveWaits,
        clock: Clock,
        *,
        region: int,
        limits: RouterLimits,
    ) -> None:
        self._replicas = replicas
        self._waiting = waiting
        self._clock = clock
        self._region = region
        self._limits = limits
        self._looked: dict[int, _Looked] = {}

    def check(self, model: int, asked_seconds: float | None = None) -> bool:
        """Tells whether nothing holds a batch request of a model back, which asked at a monotonic moment.

        False where it begins all the same, as one does now and then. Raises BATCH_HELD_BACK, with the
        numbers, where it may not begin now.
        """
        looked, rules, now_seconds = self._look(model), self._limits.batch, self._clock.monotonic_seconds()
        waited_seconds = now_seconds - (now_seconds if asked_seconds is None else asked_seconds)
        if is_overdue(waited_seconds, rules):
            return True
        since_last_seconds = now_seconds - looked.began_seconds
        if not may_begin(looked.hold, since_last_seconds=since_last_seconds, rules=rules):
            raise _refusal(looked.hold, self._limits, waited_seconds)
        return looked.hold.by is HeldBy.NOTHING

    def note_begun(self, model: int) -> None:
        """Notes that a batch request of a model began."""
        self._look(model).began_seconds = self._clock.monotonic_seconds()

    def hold(self, model: int) -> Hold:
        """Returns what holds batch requests of a model back."""
        return self._look(model).hold

    def holds(self) -> Mapping[int, Hold]:
        """Returns what holds those of each model back that has a replica here, or had one that asked."""
        there = {
            replica.registration.model
            for replica in self._replicas.everyone()
            if replica.registration.region == self._region
        }
        return {model: self.hold(model) for model in sorted(there | self._looked.keys())}

    def _look(self, model: int) -> _Looked:
        now_seconds = self._clock.monotonic_seconds()
        looked = self._looked.get(model)
        if looked is not None and now_seconds - looked.at_seconds < _LOOK_SECONDS:
            return looked
        rules, waits = self._limits.batch, self._waits(model, now_seconds)
        is_over = is_over_target(waits, rules, was_over=looked is not None and looked.is_over)
        wall_seconds = self._clock.wall_microseconds() / _MICROSECONDS
        peak_seconds = peak_left_seconds(rules.peak_windows, wall_seconds)
        hold = hold_of(waits, peak_seconds=peak_seconds, is_over=is_over)
        began_seconds = -math.inf if looked is None else looked.began_seconds
        found = self._looked[model] = _Looked(hold, now_seconds, is_over, began_seconds)
        return found

    def _waits(self, model: int, now_seconds: float) -> Waits:
        since_seconds = now_seconds - self._limits.report_timeout_seconds
        measured = interactive_times(self._replicas.pool(model, self._region), since_seconds=since_seconds)
        longest_seconds = self._waiting.interactive_wait_seconds(model)
        return Waits(measured.p95_seconds, measured.samples, longest_seconds)


def _refusal(hold: Hold, limits: RouterLimits, waited_seconds: float) -> ComptoirError:
    rules = limits.batch
    if hold.by is HeldBy.PEAK_WINDOW:
        left_seconds = hold.left_seconds
        if rules.deadline_seconds is not None:
            # Then it begins itself, where it waits; where there is no room for it, others have left by then.
            left_seconds = min(left_seconds, rules.deadline_seconds - waited_seconds)
        return ComptoirError(Reason.BATCH_HELD_BACK, retry_after_seconds=left_seconds)
    target_seconds = rules.interactive_ttft_p95_seconds or 0.0
    found = max(hold.p95_milliseconds, math.ceil(hold.waits.longest_seconds * _MILLISECONDS))
    numbers = Numbers(limit=math.ceil(target_seconds * _MILLISECONDS), requested=found)
    # Nobody knows when it is over: not so late that it would be in vain to wait here.
    again_seconds = min(rules.trickle_seconds, limits.hold_seconds or rules.trickle_seconds)
    return ComptoirError(Reason.BATCH_HELD_BACK, retry_after_seconds=again_seconds, numbers=numbers)
