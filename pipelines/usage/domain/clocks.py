"""Whose clock is wrong: this process's, the store's, the log's or the producers', judged by one another."""

from dataclasses import dataclass
from typing import Final, NamedTuple

from pipelines.usage.domain.errors import BadFrameError, Fault
from pipelines.usage.domain.retention import DAY_MICROSECONDS, expires_at_microseconds
from services.contract.events import EVENT_MAX_SKEW_MICROSECONDS, RETENTION_MIN_DAYS

_MICROSECONDS: Final = 1_000_000
_LONGEST_IN_THE_LOG: Final = RETENTION_MIN_DAYS * DAY_MICROSECONDS


class Stamp(NamedTuple):
    """When a record entered the log: by the broker's clock, or by that of the emitter that sent it."""

    microseconds: int
    is_brokers: bool


@dataclass(frozen=True, slots=True)
class Moment:
    """The present by each clock, in microseconds; None where it was never asked.

    `log` is the newest stamp ever read, moved on by the time that passed since: the log's clock reads this
    or later.
    """

    pipeline: int
    store: int | None = None
    log: int | None = None

    @property
    def is_confirmed(self) -> bool:
        """True if the log's newest stamp is of the present by this process's clock."""
        return self.log is not None and abs(self.pipeline - self.log) <= EVENT_MAX_SKEW_MICROSECONDS

    @property
    def middle(self) -> int:
        """The clock that is neither the earliest nor the latest of the three, where there are three."""
        if self.store is None or self.log is None:
            return self.pipeline if self.store is None else self.store
        return sorted((self.pipeline, self.store, self.log))[1]


class Clocks:
    """What the other clocks said, carried on by the monotonic clock, which nobody sets."""

    def __init__(self) -> None:
        self._store_minus_monotonic: float | None = None
        self._log_minus_monotonic: float | None = None

    def saw_store(self, microseconds: int, *, monotonic_seconds: float) -> None:
        """Takes what the store's clock read."""
        self._store_minus_monotonic = microseconds - monotonic_seconds * _MICROSECONDS

    def saw_stamp(self, stamp: Stamp, *, monotonic_seconds: float) -> None:
        """Takes the stamp of a record of the log; the furthest counts."""
        difference = stamp.microseconds - monotonic_seconds * _MICROSECONDS
        if self._log_minus_monotonic is None or difference > self._log_minus_monotonic:
            self._log_minus_monotonic = difference

    def moment(self, pipeline: int, *, monotonic_seconds: float) -> Moment:
        """Returns the present; `pipeline` is what this process's clock reads."""

        def now(minus_monotonic: float | None) -> int | None:
            return (
                None
                if minus_monotonic is None
                else round(minus_monotonic + monotonic_seconds * _MICROSECONDS)
            )

        return Moment(pipeline, now(self._store_minus_monotonic), now(self._log_minus_monotonic))


def judge(newest: int, stamp: Stamp | None, moment: Moment, retention_days: int) -> None:
    """Raises BadFrameError where a clock is wrong or the retention of the frame's newest event is over.

    Events that are refused for a clock stay in the log. A store whose clock is ahead would drop rows as it
    takes them, so clocks are compared before an insert and not after it.
    """
    _compare_with_the_store(moment)
    ahead = newest - moment.pipeline
    if ahead > EVENT_MAX_SKEW_MICROSECONDS:
        is_pipeline_behind = (
            stamp is not None
            and stamp.is_brokers
            and stamp.microseconds - moment.pipeline > EVENT_MAX_SKEW_MICROSECONDS
        )
        fault = Fault.CLOCK_BEHIND if is_pipeline_behind else Fault.STARTED_IN_THE_FUTURE
        raise BadFrameError(fault, offset_seconds=ahead // _MICROSECONDS)
    expires = expires_at_microseconds(newest, retention_days)
    if expires > max(moment.pipeline, moment.store or 0):
        # A frame with one living event is stored whole: its expired rows are hidden at once, dropped soon.
        return
    age = moment.pipeline - newest
    if not moment.is_confirmed:
        raise BadFrameError(Fault.CLOCK_AHEAD, offset_seconds=age // _MICROSECONDS)
    is_waiting_too_long = (
        stamp is None or moment.pipeline - stamp.microseconds > RETENTION_MIN_DAYS * DAY_MICROSECONDS
    )
    if is_waiting_too_long or (stamp is not None and expires <= stamp.microseconds):
        # No log keeps records that long, or they were too old when they entered it: a producer's clock.
        raise BadFrameError(Fault.EXPIRED_ON_ARRIVAL, offset_seconds=age // _MICROSECONDS)
    raise BadFrameError(Fault.EXPIRED)


def _compare_with_the_store(moment: Moment) -> None:
    if moment.store is None:
        return
    difference = moment.pipeline - moment.store
    if abs(difference) <= EVENT_MAX_SKEW_MICROSECONDS:
        return
    offset_seconds = abs(difference) // _MICROSECONDS
    is_pipeline_nearer = moment.log is not None and abs(moment.pipeline - moment.log) < abs(
        moment.store - moment.log
    )
    if is_pipeline_nearer:
        raise BadFrameError(Fault.STORE_CLOCK_WRONG, offset_seconds=offset_seconds)
    raise BadFrameError(
        Fault.CLOCK_BEHIND if difference < 0 else Fault.CLOCK_AHEAD, offset_seconds=offset_seconds
    )
