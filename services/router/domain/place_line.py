"""The line of one model: who waits in it, in which order, and whom the same replicas may serve."""

from bisect import insort
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from services.kernel.errors import ComptoirError, Reason
from services.router.domain.place_turns import MOST_IN_VAIN, Asker, Waiting
from services.router.domain.placement.kinds import NO_KINDS, Kinds, reach_of
from services.router.domain.tenancy import Priority
from services.router.domain.waiting_lines import without_size


@dataclass(frozen=True, slots=True)
class Before:
    """Why a request finds no place yet: others wait before it for replicas of the `barred` kinds.

    Those of the kinds that are `left` may serve it and none of them.
    """

    refusal: ComptoirError
    barred: Kinds
    left: Kinds


@dataclass(slots=True)
class Part:
    """Those in a line whom the same kinds of replicas may serve; a place of these is of use to all of them.

    `rested` are those at whom it rested last, by whether they are held back.
    """

    reach: Kinds
    waiting: list[Waiting] = field(default_factory=list)
    rested: dict[bool, Waiting] = field(default_factory=dict)


class Line:
    """Who waits for a model. Each part has its turns: nobody waits behind those who want other replicas."""

    def __init__(self) -> None:
        self.waiting: list[Waiting] = []
        self._parts: dict[Kinds, Part] = {}
        self._kinds = NO_KINDS
        self._trying = 0
        # How often since the last change a place was offered that somebody had for a moment.
        self.offered = 0

    def see(self, kinds: Kinds) -> None:
        """Divides the line anew where the kinds of the model's replicas are others than before."""
        if kinds == self._kinds:
            return
        self._kinds, self._parts = kinds, {}
        for one in self.waiting:
            self._enter_part(one)

    def enter(self, waiting: Waiting) -> None:
        """Puts a request in its place."""
        insort(self.waiting, waiting)
        self._enter_part(waiting)

    def leave(self, waiting: Waiting) -> None:
        """Takes a request out."""
        self.waiting.remove(waiting)
        part = self.part_of(waiting.asker)
        part.waiting.remove(waiting)
        if not part.waiting:
            del self._parts[part.reach]

    def parts(self) -> Iterable[Part]:
        """Returns the parts, in the order of the first of each."""
        if len(self._parts) < 2:  # noqa: PLR2004 - with every report: most models have one part
            return tuple(self._parts.values())
        return sorted(self._parts.values(), key=lambda part: part.waiting[0])

    def part_of(self, asker: Asker) -> Part:
        """Returns the part of a request, which may be a new one."""
        reach = reach_of(self._kinds, asker.required)
        return self._parts.get(reach) or Part(reach)

    def before(self, asker: Asker, due_seconds: float, *, is_batch_passed: bool) -> Before | None:
        """Returns who waits before a request with that turn for what may serve it too; None if none do."""
        reach, barred, last = self.part_of(asker).reach, NO_KINDS, None
        for part in self._parts.values():
            if not part.reach & reach:
                continue
            found = _last_before(part, asker, due_seconds, is_batch_passed=is_batch_passed)
            if found is not None:
                barred |= part.reach
                last = found if last is None else max(last, found)
        return None if last is None else Before(without_size(last.refusal), barred, reach - barred)

    @contextmanager
    def trying(self) -> Iterator[None]:
        """Says that one of the line is trying: it may have a place until its key is asked for a lease."""
        self._trying += 1
        try:
            yield
        finally:
            self._trying -= 1

    def note_vain(self, waiting: Waiting) -> None:
        """Notes that a request had no place, or had one and its key no room.

        Such a place is offered to the first of each part that found none meanwhile: no change calls these.
        """
        is_key_busy = waiting.refusal.reason is Reason.CONCURRENCY_EXHAUSTED
        waiting.has_missed = self._trying > 0 and not (is_key_busy or waiting.is_held_back)
        if is_key_busy and self.offered < MOST_IN_VAIN:
            for part in self.parts():
                missed = next((one for one in part.waiting if one.has_missed), None)
                if missed is not None:
                    self.offered += 1
                    missed.has_missed, missed.in_vain = False, 0
                    missed.turn.set()

    def _enter_part(self, waiting: Waiting) -> None:
        part = self.part_of(waiting.asker)
        self._parts[part.reach] = part
        insort(part.waiting, waiting)


def _last_before(part: Part, asker: Asker, due_seconds: float, *, is_batch_passed: bool) -> Waiting | None:
    # Those that wait for their key's other requests to end stand in nobody's way.
    busy = Reason.CONCURRENCY_EXHAUSTED
    before = [
        one for one in part.waiting if one.due_seconds <= due_seconds and one.refusal.reason is not busy
    ]
    if asker.priority < Priority.BATCH:
        before = [one for one in before if not (one.is_held_back or (one.is_batch and is_batch_passed))]
    return before[-1] if before else None
