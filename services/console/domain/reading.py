"""What a source said last, and since when it says nothing: what a part of the page stands on."""

from dataclasses import dataclass, replace
from typing import Generic, Self, TypeVar

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Reading(Generic[Value]):
    """The last value of a source with its moment, in Unix time; `why` says why it is away."""

    value: Value | None = None
    taken_at_seconds: float = 0.0
    why: str = ""
    away_since_seconds: float = 0.0

    @property
    def is_away(self) -> bool:
        """Whether the last question got no answer."""
        return bool(self.why)

    def answered(self, value: Value, now_seconds: float) -> "Reading[Value]":
        """Returns the reading after an answer."""
        return Reading(value, now_seconds)

    def unanswered(self, why: str, now_seconds: float) -> Self:
        """Returns the reading after a question without an answer: the value stays, with its age."""
        since_seconds = self.away_since_seconds if self.is_away else now_seconds
        return replace(self, why=why, away_since_seconds=since_seconds)
