"""Requests that wait for a place: a moment where all are full, longer where none is ready or batch waits."""

import asyncio
import math
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeVar

from services.kernel.errors import ComptoirError, Reason
from services.router.domain.held_requests import HeldRequests
from services.router.domain.limits import RouterLimits
from services.router.domain.place_line import Before, Line, Part
from services.router.domain.place_turns import FIRST_IN_VAIN, MOST_IN_VAIN, Asker, Waiting, behind, call_first
from services.router.domain.placement.expecting import patience_seconds
from services.router.domain.placement.kinds import NO_KINDS, Kinds
from services.router.domain.placement.kv_room import NoRoomError
from services.router.domain.tenancy import Priority
from services.router.domain.waiting_lines import MAX_WAITING, again

# What a later attempt may find and the request waits on; anything else is its answer.
_NO_PLACE: Final = frozenset(
    {
        Reason.NO_REPLICA,
        Reason.REPLICA_OVERLOADED,
        Reason.CONCURRENCY_EXHAUSTED,
        Reason.BATCH_HELD_BACK,
    }
)
# Without these a request does not wait for longer than a moment, unless it is held.
_HELD_FOR: Final = frozenset({Reason.NO_REPLICA, Reason.BATCH_HELD_BACK})
# With these one of the class batch waits as long as one that is held: who asks for batch does not mind.
_PATIENT_FOR: Final = frozenset({Reason.REPLICA_OVERLOADED, Reason.BATCH_HELD_BACK})
# A router that drains is back, or another one asked, in about that time.
_SOON_SECONDS: Final = 1.0
# What no timer tells from nothing.
_NO_SECONDS: Final = 1e-6

Got = TypeVar("Got")
Placed = TypeVar("Placed")


class PlaceLines:
    """One line per model. A change of its replicas lets each in the line try again, the first first.

    Where replicas of a model are of several kinds, by `kinds_of`, requests that others of them may serve have
    turns of their own, and pass one another.

    A request waits for `place_wait_seconds` where every replica is full. Where none is ready and one is
    expected, or none has free KV blocks for it, it is held, for `hold_seconds` and `held_requests` at most.
    One of the class batch is held in any case where half of that room has place for it.
    """

    def __init__(self, limits: RouterLimits, kinds_of: Callable[[int], Kinds]) -> None:
        self._limits = limits
        self._kinds_of = kinds_of
        self._lines: dict[int, Line] = {}
        self._held = HeldRequests(limits.held_requests)
        self._arrivals = 0
        self._is_closed = False
        # When one of batch had a place of a model last, and the models where batch stands behind all others.
        self._passed_at: dict[int, float] = {}
        self._yielding: set[int] = set()

    @property
    def waiting(self) -> int:
        """Returns how many wait, in all lines together."""
        return sum(len(line.waiting) for line in self._lines.values())

    def waiting_for(self, model: int, kinds: Kinds) -> int:
        """Returns how many wait in the line of a model that a replica of some kinds may serve.

        Those that are held back wait for no replica.
        """
        return sum(
            not one.is_held_back and any(kind.may_serve(one.asker.required) for kind in kinds)
            for one in self._waiting_for(model)
        )

    @property
    def held(self) -> int:
        """Returns how many of them are held: no replica was ready, or they are of the class batch."""
        return self._held.count

    def interactive_wait_seconds(self, model: int) -> float:
        """Returns how long the oldest interactive request of a model waits for a replica; 0 if none does."""
        arrived_seconds = [
            one.arrived_seconds
            for one in self._waiting_for(model)
            if one.asker.priority < Priority.DEFAULT
            and one.refusal.reason is not Reason.CONCURRENCY_EXHAUSTED
        ]
        return _now() - min(arrived_seconds) if arrived_seconds else 0.0

    def before(self, asker: Asker) -> Before | None:
        """Returns who waits before a request that comes now for what may serve it too; None if none do."""
        line = self._line(asker.model)
        if line is None:
            return None
        due_seconds = self._limits.ageing.due_seconds(asker.priority, _now())
        return line.before(asker, due_seconds, is_batch_passed=asker.model in self._yielding)

    def place(self, asker: Asker, place: Callable[[Kinds], Placed]) -> Placed:
        """Returns the place of a request that comes now, on a replica for which nobody waits before it.

        Raises the refusal of who does, or that of `place`, which is told of what kinds one is not to be.
        """
        before = self.before(asker)
        if before is None:
            return place(NO_KINDS)
        if not before.left:
            raise before.refusal
        try:
            return place(before.barred)
        except ComptoirError as refused:
            raise (before.refusal if refused.reason in _NO_PLACE else refused) from None

    async def wait(self, asker: Asker, refusal: ComptoirError, attempt: Callable[[], Awaitable[Got]]) -> Got:
        """Returns what the attempt returns, tried again at each change; raises the last refusal in the end.

        `refusal` is that of the first attempt; it is raised at once where a wait is in vain, or where too
        many wait already.
        """
        waiting = self._enter(asker, refusal)
        line, is_trying = self._lines[asker.model], False
        try:
            while True:
                is_called = await _called(waiting, self._left_seconds(waiting))
                is_held_back, is_trying = waiting.is_held_back, True
                try:
                    with line.trying():
                        got = await attempt()
                except ComptoirError as refused:
                    if refused.reason not in _NO_PLACE:
                        raise
                    waiting.refusal = refused
                else:
                    if waiting.is_batch:
                        self._passed_at[asker.model] = _now()
                        self._yielding.add(asker.model)
                    return got
                line.note_vain(waiting)
                if is_called:
                    self._pass_on(waiting, waiting.in_vain + 1, is_held_back=is_held_back)
                is_trying = False
        finally:
            if is_trying or waiting.turn.is_set():
                # It has a place, and there may be another one; or it leaves, and what called it, or a place
                # that it had for a moment, is not used.
                self._pass_on(waiting, 0, is_held_back=waiting.is_held_back)
            self._leave(waiting)

    def free(self, model: int) -> None:
        """Lets the first of a line try again, and after it the others, in their order."""
        line = self._line(model)
        self._yielding.discard(model)
        if _now() - self._passed_at.get(model, -math.inf) < self._limits.batch.trickle_seconds:
            self._yielding.add(model)
        if line is not None:
            line.offered = 0
        for part in line.parts() if line is not None else ():
            call_first(self._in_order(model, part), 0, is_held_back=False)

    def free_batch(self) -> None:
        """Lets the first of those try again that are held back, of every model; call it often."""
        for part in (part for line in self._lines.values() for part in line.parts()):
            call_first(part.waiting, 0, is_held_back=True)

    def free_all(self) -> None:
        """Lets the first of every line try again."""
        for model in self._lines:
            self.free(model)

    def close(self) -> None:
        """Ends every wait as UNAVAILABLE: its caller asks another router, or this one when it is back.

        No replica will come here any more; those that ask later are refused at once.
        """
        self._is_closed = True
        for waiting in (one for line in self._lines.values() for one in line.waiting):
            waiting.turn.set()

    def _enter(self, asker: Asker, refusal: ComptoirError) -> Waiting:
        """Puts a request in its place in the line; raises its refusal where that is in vain."""
        is_in_vain = (
            refusal.reason is Reason.BATCH_HELD_BACK
            and refusal.retry_after_seconds > self._limits.hold_seconds
        )
        if is_in_vain or self.waiting >= MAX_WAITING:
            raise again(refusal)
        self._arrivals += 1
        now_seconds = _now()
        due_seconds = self._limits.ageing.due_seconds(asker.priority, now_seconds)
        waiting = Waiting(due_seconds, self._arrivals, asker, now_seconds, refusal)
        line = self._line(asker.model) or self._lines.setdefault(asker.model, Line())
        line.see(self._kinds_of(asker.model))
        line.enter(waiting)
        if not waiting.is_held_back:
            # A place that became free since the first attempt woke nobody.
            waiting.turn.set()
        return waiting

    def _left_seconds(self, waiting: Waiting) -> float:
        """Returns how long it still waits; raises its refusal if it does not."""
        if self._is_closed:
            raise ComptoirError(Reason.UNAVAILABLE, retry_after_seconds=_SOON_SECONDS)
        is_for_room = isinstance(waiting.refusal, NoRoomError)
        if is_for_room or (waiting.is_batch and waiting.refusal.reason in _PATIENT_FOR):
            self._held.hold(waiting)
        waited_seconds = _now() - waiting.arrived_seconds
        reason, part = waiting.refusal.reason, self._lines[waiting.asker.model].part_of(waiting.asker)
        is_before = reason is Reason.REPLICA_OVERLOADED and not waiting.is_batch
        left_seconds = (
            patience_seconds(
                self._limits,
                is_ready=reason is not Reason.NO_REPLICA,
                is_held=waiting.is_held,
                waited_seconds=waited_seconds,
                is_before_batch=is_before
                and any(one.is_batch and not one.is_held_back for one in part.waiting),
                expected_seconds=waiting.asker.expected_seconds(),
            )
            - waited_seconds
        )
        if left_seconds <= _NO_SECONDS or (
            waiting.refusal.reason in _HELD_FOR and not self._held.hold(waiting)
        ):
            raise again(waiting.refusal)
        return left_seconds

    def _line(self, model: int) -> Line | None:
        """Returns the line of a model, divided by the replicas that there are now; None if nobody waits."""
        line = self._lines.get(model)
        if line is not None:
            line.see(self._kinds_of(model))
        return line

    def _waiting_for(self, model: int) -> Sequence[Waiting]:
        line = self._lines.get(model)
        return () if line is None else line.waiting

    def _in_order(self, model: int, part: Part) -> list[Waiting]:
        """Returns a part as it is served: batch goes before others by its age only now and then."""
        waiting = part.waiting
        return sorted(waiting, key=lambda one: one.is_batch) if model in self._yielding else waiting

    def _leave(self, waiting: Waiting) -> None:
        asker = waiting.asker
        self._lines[asker.model].leave(waiting)
        if not self._lines[asker.model].waiting:
            del self._lines[asker.model]
        self._held.leave(waiting)

    def _pass_on(self, waiting: Waiting, in_vain: int, *, is_held_back: bool) -> None:
        model, line = waiting.asker.model, self._lines[waiting.asker.model]
        if not in_vain:
            # It has its place, and there may be another one for any part; or what called it is not used.
            for each in line.parts():
                others = [one for one in self._in_order(model, each) if one is not waiting]
                call_first(others, 0, is_held_back=is_held_back)
            return
        # The next one may fit on a replica where this one did not.
        part = line.part_of(waiting.asker)
        others = behind(waiting, self._in_order(model, part))
        if in_vain > MOST_IN_VAIN:
            part.rested[is_held_back] = waiting
            return
        if in_vain == FIRST_IN_VAIN and (rested := part.rested.pop(is_held_back, None)) is not None:
            # The first had their turn. Those that were not reached last time have theirs.
            others = behind(rested, others)
        call_first(others, in_vain, is_held_back=is_held_back)


async def _called(waiting: Waiting, within_seconds: float) -> bool:
    try:
        async with asyncio.timeout(within_seconds):
            await waiting.turn.wait()
    except TimeoutError:
        return False
    waiting.turn.clear()
    return True


def _now() -> float:
    return asyncio.get_running_loop().time()
