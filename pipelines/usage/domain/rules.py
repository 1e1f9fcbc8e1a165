"""What a consumer is told: where events may live, when to commit, when to stop, how long to wait."""

from dataclasses import dataclass
from typing import NamedTuple

from pipelines.usage.domain.ports import Record
from pipelines.usage.domain.progress import CommitPolicy
from pipelines.usage.domain.validation import Residence


class Span(NamedTuple):
    """Offsets of one partition, both ends included."""

    topic: str
    partition: int
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Rules:
    """What the consumer is told."""

    residence: Residence
    commit: CommitPolicy
    dead_letters_in_a_row: int
    release_seconds: float
    retry_first_seconds: float
    retry_most_seconds: float
    # How late the store may be before the pipeline calls itself unready, and how often that is measured.
    late_seconds: float = 60.0
    measure_seconds: float = 5.0
    # How often a paused partition is tried again.
    pause_seconds: float = 2.0
    # What a person decided to do without: records at which a partition would pause become dead letters.
    given_up: tuple[Span, ...] = ()

    def is_given_up(self, record: Record) -> bool:
        """True if a person listed the record's position."""
        place = record.partition
        return any(
            (span.topic, span.partition) == place and span.first <= record.offset <= span.last
            for span in self.given_up
        )
