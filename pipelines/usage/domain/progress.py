"""How far each partition is worked off, when to say so to Kafka, and when to stop trusting what arrives."""

from collections.abc import Mapping

from pipelines.usage.domain.errors import Fault
from pipelines.usage.domain.ports import Partition
from pipelines.usage.domain.rules import Rules, StoreTerms


class Progress:
    """Offsets of frames that are stored or dead-lettered and not yet committed."""

    def __init__(self, rules: Rules, terms: StoreTerms) -> None:
        self._rules = rules
        self._most_uncommitted_frames = terms.most_uncommitted_frames
        self._next_offsets: dict[Partition, int] = {}
        self._frames: dict[Partition, int] = {}
        self._since_seconds = 0.0

    def note(self, partition: Partition, offset: int, *, now_seconds: float) -> None:
        """Notes that the record at `offset` is done for good."""
        if not self._frames:
            self._since_seconds = now_seconds
        self._frames[partition] = self._frames.get(partition, 0) + 1
        self._next_offsets[partition] = offset + 1

    def is_due(self, now_seconds: float) -> bool:
        """Returns True if it is time to commit."""
        if not self._frames:
            return False
        age_seconds = now_seconds - self._since_seconds
        is_old = age_seconds >= self._rules.commit_every_seconds
        return is_old or self._uncommitted >= self._rules.commit_every_frames

    @property
    def is_full(self) -> bool:
        """True if no more may be inserted before a commit succeeds."""
        return self._uncommitted >= self._most_uncommitted_frames

    def staged(self) -> Mapping[Partition, int]:
        """Returns the offsets to commit."""
        return dict(self._next_offsets)

    def committed(self, next_offsets: Mapping[Partition, int]) -> None:
        """Notes that these offsets are stored; what was noted meanwhile stays staged."""
        for partition, offset in next_offsets.items():
            left = self._next_offsets.get(partition, offset) - offset
            if left:
                self._frames[partition] = min(self._frames[partition], abs(left))
            else:
                self._next_offsets.pop(partition, None)
                self._frames.pop(partition, None)

    def forget(self) -> None:
        """Forgets the partitions: they belong to other members now."""
        self._next_offsets.clear()
        self._frames.clear()

    @property
    def _uncommitted(self) -> int:
        return sum(self._frames.values())


class Breaker:
    """Trips after too many bad frames in a row: then the fault is ours or the producer's, not the frames'."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._in_a_row = 0

    def good(self) -> None:
        """Notes that a frame was stored."""
        self._in_a_row = 0

    def bad(self, fault: Fault) -> None:
        """Notes a dead letter; expired frames are the normal end of a long outage and do not count."""
        if fault is not Fault.EXPIRED:
            self._in_a_row += 1

    @property
    def is_tripped(self) -> bool:
        """True once the limit is passed."""
        return self._in_a_row > self._limit
