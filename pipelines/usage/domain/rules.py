"""What a consumer is told: where events may live, when to commit, when to stop, how long to wait."""

from dataclasses import dataclass

from pipelines.usage.domain.progress import CommitPolicy
from pipelines.usage.domain.validation import Residence


@dataclass(frozen=True, slots=True)
class Rules:
    """What the consumer is told."""

    residence: Residence
    commit: CommitPolicy
    dead_letters_in_a_row: int
    release_seconds: float
    retry_first_seconds: float
    retry_most_seconds: float
