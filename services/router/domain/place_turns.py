"""Whose turn it is in a line for places: the first first, and in the end everybody's."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from services.kernel.errors import ComptoirError, Reason
from services.router.domain.placement.kinds import NOTHING_REQUIRED, Requirement
from services.router.domain.tenancy import Priority

# A change lets so many try in vain, one after the other, before the line rests: with many in it and many
# changes, trying would be all that the router does.
MOST_IN_VAIN: Final = 16
# So many of them are the first of the line. Then it goes on where it rested: those before may wait for what
# others do not.
FIRST_IN_VAIN: Final = 8


@dataclass(frozen=True, slots=True)
class Asker:
    """A request that wants a place: for which model, of which key and class.

    `most_of_key` is how many requests of its key may be held, `expected_seconds` for how much longer a
    replica is expected that may serve it, and `required` by what others are ruled out.
    """

    model: int
    key: int
    priority: int
    most_of_key: int
    expected_seconds: Callable[[], float]
    required: Requirement = NOTHING_REQUIRED


@dataclass(slots=True, order=True)
class Waiting:
    """One that waits; ordered as they are served: by class and age, then by arrival."""

    due_seconds: float
    number: int
    asker: Asker = field(compare=False)
    arrived_seconds: float = field(compare=False)
    refusal: ComptoirError = field(compare=False)
    is_held: bool = field(default=False, compare=False)
    turn: asyncio.Event = field(default_factory=asyncio.Event, compare=False)
    # How many before it in the line have tried in vain since the change that lets it try.
    in_vain: int = field(default=0, compare=False)
    # Whether others had a place, which they may have given back, when it found none.
    has_missed: bool = field(default=False, compare=False)

    @property
    def is_batch(self) -> bool:
        """Tells whether it is of the class batch."""
        return self.asker.priority >= Priority.BATCH

    @property
    def is_held_back(self) -> bool:
        """Tells whether it waits for batch to go on: other classes pass it, and no free place calls it."""
        return self.refusal.reason is Reason.BATCH_HELD_BACK


def behind(waiting: Waiting, line: Sequence[Waiting]) -> list[Waiting]:
    """Returns who stands behind one in a line, which that may have left."""
    number = next((number for number, one in enumerate(line) if one is waiting), None)
    return list(line[number + 1 :]) if number is not None else [one for one in line if one > waiting]


def call_first(line: Iterable[Waiting], in_vain: int, *, is_held_back: bool) -> None:
    """Lets the first try that is held back, or that is not."""
    for one in line:
        if one.is_held_back == is_held_back:
            one.in_vain = in_vain
            one.turn.set()
            return
