"""Whether requests of the class batch are held back: in a peak, or while interactive ones wait too long."""

import math
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from services.router.domain.peak_windows import PeakWindow

_MILLISECONDS: Final = 1000


class BatchRules(BaseModel):
    """When batch requests are held back, and what they may still have then."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    peak_windows: tuple[PeakWindow, ...] = Field(
        default=(), max_length=64, description="hours in which no batch request begins"
    )
    interactive_ttft_p95_seconds: float | None = Field(
        default=None,
        gt=0,
        le=600,
        description="target of the p95 of interactive requests' time to first token, of each model and of "
        "the last minute; while it is above, batch requests of the model are held back; left out, never",
    )
    deadline_seconds: float | None = Field(
        default=None,
        gt=0,
        le=600,
        description="a batch request that has waited for so long begins all the same, in a peak window too, "
        "as soon as there is a place; below `hold_seconds`, after which it is refused; left out, none does",
    )
    release_share: float = Field(
        default=0.8,
        gt=0,
        le=1,
        description="they go on once the p95 is at most this share of the target",
    )
    least_samples: int = Field(
        default=20,
        ge=1,
        le=100_000,
        description="where fewer interactive requests had a first token in the last minute, their p95 holds "
        "nothing back",
    )
    trickle_seconds: float = Field(
        default=10.0,
        gt=0,
        le=600,
        description="held back by the p95, one batch request of a model begins in so long at each router all "
        "the same, so that it is not for ever; in a peak window none does; and where all replicas are full, "
        "one in so long gets a place before others that wait, by its age",
    )
    spill_seconds: float = Field(
        default=30.0,
        ge=0,
        le=600,
        description="with `gpu_prices`: a batch request goes to a dearer class where a cheaper one would "
        "have it done so much later than the fastest one without others, by recent rates; where these are "
        "unknown, would take so long to its first token. Not while batch is held back",
    )


class HeldBy(IntEnum):
    """Why batch requests are held back; the numbers of the schema's BatchHold."""

    NOTHING = 0
    PEAK_WINDOW = 1
    FIRST_TOKENS = 2


@dataclass(frozen=True, slots=True)
class Waits:
    """How long a model's interactive requests wait: what replicas counted, and what stands at this router.

    `ttft_p95_seconds` is None where nobody counted any. `longest_seconds` is how long the oldest of those
    has waited that have no replica yet.
    """

    ttft_p95_seconds: float | None = None
    samples: int = 0
    longest_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Hold:
    """Whether a model's batch requests are held back at one moment, and by what.

    `left_seconds` is how much longer a peak lasts; 0 where there is none.
    """

    by: HeldBy = HeldBy.NOTHING
    left_seconds: float = 0.0
    waits: Waits = Waits()

    @property
    def p95_milliseconds(self) -> int:
        """Returns the interactive p95 in whole milliseconds, rounded up; 0 where nobody knows it."""
        return math.ceil((self.waits.ttft_p95_seconds or 0.0) * _MILLISECONDS)


def is_over_target(waits: Waits, rules: BatchRules, *, was_over: bool) -> bool:
    """Tells whether interactive requests wait too long: above the target, and then until well below it."""
    target_seconds = rules.interactive_ttft_p95_seconds
    if target_seconds is None:
        return False
    if was_over:
        target_seconds *= rules.release_share
    if waits.longest_seconds > target_seconds:
        return True
    p95_seconds = waits.ttft_p95_seconds
    return p95_seconds is not None and waits.samples >= rules.least_samples and p95_seconds > target_seconds


def hold_of(waits: Waits, *, peak_seconds: float, is_over: bool) -> Hold:
    """Returns what holds batch back; a peak is told before the waits, because it is known when it is over."""
    if peak_seconds > 0:
        return Hold(HeldBy.PEAK_WINDOW, peak_seconds, waits)
    return Hold(HeldBy.FIRST_TOKENS if is_over else HeldBy.NOTHING, waits=waits)


def may_begin(hold: Hold, *, since_last_seconds: float, rules: BatchRules) -> bool:
    """Tells whether a batch request may begin that is the first of those that wait."""
    if hold.by is HeldBy.FIRST_TOKENS:
        return since_last_seconds >= rules.trickle_seconds
    return hold.by is HeldBy.NOTHING


def is_overdue(waited_seconds: float, rules: BatchRules) -> bool:
    """Tells whether a batch request has waited for so long that nothing holds it back any more."""
    return rules.deadline_seconds is not None and waited_seconds >= rules.deadline_seconds
