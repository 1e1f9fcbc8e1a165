"""Which processes are ready, and what the others say for themselves."""

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """What a process says; SILENT is one that says nothing."""

    READY = "ready"
    UNREADY = "not ready"
    SILENT = "no answer"


@dataclass(frozen=True, slots=True)
class Process:
    """One process; `since_seconds` is Unix time, 0 where it does not say since when."""

    name: str
    state: State
    why: str = ""
    since_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Health:
    """All that were asked."""

    processes: tuple[Process, ...]

    @property
    def ill(self) -> tuple[Process, ...]:
        """Those that are not ready."""
        return tuple(each for each in self.processes if each.state is not State.READY)

    @property
    def sentence(self) -> str:
        """What an operator has to know first."""
        if not self.ill:
            return f"All {len(self.processes)} processes are ready."
        told = [f"{each.name}: {each.why or each.state}" for each in self.ill]
        verb = "is" if len(self.ill) == 1 else "are"
        return f"{len(self.ill)} of {len(self.processes)} processes {verb} not ready. {'; '.join(told)}."
