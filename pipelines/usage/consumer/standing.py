"""What the loop and the watch tell each other, and the one answer that follows: ready, or why not."""

import asyncio
from collections.abc import Mapping
from typing import Final

from pipelines.usage.domain.clocks import Clocks
from pipelines.usage.domain.errors import Fault, UnavailableError
from pipelines.usage.domain.pauses import Pause, Pauses
from pipelines.usage.domain.rules import PAUSE_SECONDS, Rules
from services.contract.events import KIND_OF_TOPIC
from services.kernel.readiness import STARTING, Figure, Readiness, Unready, unready


class Standing:
    """The state of one pipeline; the loop and the watch write their parts."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self.clocks = Clocks()
        self.pauses = Pauses(PAUSE_SECONDS)
        self.is_member = False
        self.is_stopped_by_bad_frames = False
        self.is_name_contested = False
        self.failure: UnavailableError | None = None
        self.is_log_away = False
        # Set by the loop where the answer may be another one now.
        self.changed = asyncio.Event()
        self.waiting_frames = 0
        # None until it was measured once.
        self.behind_seconds: float | None = None
        self._was_member = False

    def took_part(
        self, *, is_member: bool, is_stopped_by_bad_frames: bool, is_name_contested: bool = False
    ) -> None:
        """Notes how the loop's turn begins."""
        before = self.is_member, self.is_stopped_by_bad_frames, self.is_name_contested
        now = is_member, is_stopped_by_bad_frames, is_name_contested
        self.is_member, self.is_stopped_by_bad_frames, self.is_name_contested = now
        if before != now:
            self.changed.set()

    def readiness(self) -> Readiness:
        """Returns the gravest reason: first what only a person can mend, then what keeps the store behind."""
        self._was_member = self._was_member or self.is_member
        if self.pauses.all:
            first = self.pauses.all[0]
            return unready(_REASONS[first.fault], self._figures(first))
        if self.is_stopped_by_bad_frames or self.is_name_contested:
            reason = Unready.CORRUPT_FRAMES if self.is_stopped_by_bad_frames else Unready.NAME_TAKEN
            return unready(reason, self._figures())
        if self.behind_seconds is not None and self.behind_seconds > self._rules.late_seconds:
            return unready(self._why_behind(), self._figures())
        if not self._was_member or self.behind_seconds is None:
            return STARTING
        if not self.is_member:
            return unready(Unready.REBALANCING, self._figures())
        return Readiness(is_ready=True, figures=self._figures())

    def _why_behind(self) -> Unready:
        if self.is_log_away or (self.failure is not None and self.failure.is_log):
            return Unready.LOG_AWAY
        return Unready.BEHIND if self.failure is None else Unready.STORE_AWAY

    def _figures(self, pause: Pause | None = None) -> Mapping[Figure, int]:
        figures = {
            Figure.WAITING_FRAMES: self.waiting_frames,
            Figure.BEHIND_SECONDS: round(self.behind_seconds or 0),
            Figure.PAUSED_PARTITIONS: len(self.pauses.all),
        }
        if self.failure is not None and self.failure.store_code:
            figures[Figure.CLICKHOUSE_CODE] = self.failure.store_code
        if pause is None:
            return figures
        return {
            **figures,
            Figure.KIND: int(KIND_OF_TOPIC[pause.partition.topic]),
            Figure.PARTITION: pause.partition.number,
            Figure.OFFSET: pause.offset,
            **{Figure[name.upper()]: value for name, value in pause.figures.items()},
        }


# A pause is told by the name of its fault.
_REASONS: Final[Mapping[Fault, Unready]] = {
    fault: Unready[fault.name] for fault in Fault if fault.name in Unready.__members__
}
