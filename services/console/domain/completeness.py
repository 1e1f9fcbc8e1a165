"""Whether everything that was recorded is in the store, and nothing is there for longer than promised."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Kind:
    """What the store has of one kind of event; `oldest_at_seconds` is 0 where it has none."""

    name: str
    stored_rows: int
    missing_rows: int
    double_rows: int
    dead_rows: int
    unreadable_frames: int
    behind_seconds: int
    paused_for: str
    oldest_at_seconds: float = 0.0
    overdue_rows: int = 0

    @property
    def faults(self) -> tuple[str, ...]:
        """What is wrong with it, in words; nothing where all is well."""
        said = (
            (self.missing_rows, "missing"),
            (self.double_rows, "double"),
            (self.dead_rows, "dead letters"),
            (self.unreadable_frames, "unreadable frames"),
            (self.overdue_rows, "overdue"),
        )
        found = [f"{count:,} {name}" for count, name in said if count]
        return (*found, f"paused: {self.paused_for.replace('_', ' ')}") if self.paused_for else tuple(found)


@dataclass(frozen=True, slots=True)
class Stored:
    """The kinds that the store knows, and for how many days it keeps their rows."""

    kinds: tuple[Kind, ...]
    retention_days: int

    @property
    def behind_seconds(self) -> int:
        """By how much the kind that is furthest behind is in the past."""
        return max((kind.behind_seconds for kind in self.kinds), default=0)

    @property
    def is_complete(self) -> bool:
        """Whether no row is missing, double, dead or overdue."""
        return not any(kind.faults for kind in self.kinds)
