"""Requests that wait for a place on a replica: a moment where all are full, longer where none is ready."""

import asyncio
from bisect import insort
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final, TypeVar

from services.kernel.errors import ComptoirError, Reason
from services.router.domain.limits import RouterLimits
from services.router.domain.placement.expecting import patience_seconds
from services.router.domain.waiting_lines import MAX_WAITING, again

# What a later attempt may find and the request waits on; anything else is its answer.
_NO_PLACE: Final = frozenset({Reason.NO_REPLICA, Reason.REPLICA_OVERLOADED, Reason.CONCURRENCY_EXHAUSTED})
# A router that drains is back, or another one asked, in about that time.
_SOON_SECONDS: Final = 1.0
# A change lets so many try in vain, one after the other, before the line rests: with many in it and many
# changes, trying would be all that the router does.
_MOST_IN_VAIN: Final = 16

Got = TypeVar("Got")


@dataclass(frozen=True, slots=True)
class Asker:
    """A request that wants a place: for which model, of which key and class.

    `most_of_key` is how many requests of its key may be held, `expected_seconds` for how much longer a
    replica of its model is expected.
    """

    model: int
    key: int
    priority: int
    most_of_key: int
    expected_seconds: Callable[[], float]


@dataclass(slots=True, order=True)
class _Waiting:
    """One that waits; ordered as they are served: by class, then by arrival."""

    priority: int
    number: int
    asker: Asker = field(compare=False)
    arrived_seconds: float = field(compare=False)
    refusal: ComptoirError = field(compare=False)
    is_held: bool = field(default=False, compare=False)
    turn: asyncio.Event = field(default_factory=asyncio.Event, compare=False)
    # How many before it in the line have tried in vain since the change that lets it try.
    in_vain: int = field(default=0, compare=False)


class PlaceLines:
    """One line per model. A change of its replicas lets each in the line try again, the first first.

    A request waits for `place_wait_seconds` where every replica is full. Where none is ready and one is
    expected it is held, for `hold_seconds` at most; of those there are `held_requests` at most.
    """

    def __init__(self, limits: RouterLimits) -> None:
        self._limits = limits
        self._lines: dict[int, list[_Waiting]] = {}
        self._held_of_key: dict[int, int] = {}
        self._arrivals = 0
        self._is_closed = False

    @property
    def waiting(self) -> int:
        """Returns how many wait, in all lines together."""
        return sum(len(line) for line in self._lines.values())

    def waiting_for(self, model: int) -> int:
        """Returns how many wait in the line of a model."""
        return len(self._lines.get(model, ()))

    @property
    def held(self) -> int:
        """Returns how many of them found no replica that was ready."""
        return sum(self._held_of_key.values())

    def refusal_before(self, model: int, priority: int) -> ComptoirError | None:
        """Returns why a request of that class finds no place yet: others wait before it; None if none do."""
        before = [one.refusal for one in self._lines.get(model, ()) if one.priority <= priority]
        # Those that wait for their key's other requests to end stand in nobody's way.
        if not before or before[-1].reason is Reason.CONCURRENCY_EXHAUSTED:
            return None
        return again(before[-1])

    async def wait(self, asker: Asker, refusal: ComptoirError, attempt: Callable[[], Awaitable[Got]]) -> Got:
        """Returns what the attempt returns, tried again at each change; raises the last refusal in the end.

        `refusal` is that of the first attempt; it is raised at once where a wait is in vain, or where too
        many wait already.
        """
        self._arrivals += 1
        waiting = _Waiting(asker.priority, self._arrivals, asker, _now(), refusal)
        if self.waiting >= MAX_WAITING:
            raise again(refusal)
        line = self._lines.setdefault(asker.model, [])
        insort(line, waiting)
        # A place that became free since the first attempt woke nobody.
        waiting.turn.set()
        is_called = False
        try:
            while True:
                is_called = await _called(waiting, self._left_seconds(waiting))
                try:
                    return await attempt()
                except ComptoirError as refused:
                    if refused.reason not in _NO_PLACE:
                        raise
                    waiting.refusal = refused
                if is_called and waiting.in_vain < _MOST_IN_VAIN:
                    self._pass_on(waiting, waiting.in_vain + 1)
                is_called = False
        finally:
            if is_called or waiting.turn.is_set():
                # It has a place, and there may be another one; or it leaves, and what called it is not used.
                self._pass_on(waiting, 0)
            self._leave(waiting)

    def free(self, model: int) -> None:
        """Lets the first of a line try again, and after it the others, in their order."""
        line = self._lines.get(model)
        if line:
            line[0].in_vain = 0
            line[0].turn.set()

    def free_all(self) -> None:
        """Lets the first of every line try again."""
        for model in self._lines:
            self.free(model)

    def close(self) -> None:
        """Ends every wait as UNAVAILABLE: its caller asks another router, or this one when it is back.

        No replica will come here any more; those that ask later are refused at once.
        """
        self._is_closed = True
        for waiting in (one for line in self._lines.values() for one in line):
            waiting.turn.set()

    def _left_seconds(self, waiting: _Waiting) -> float:
        """Returns how long it still waits; raises its refusal if it does not."""
        waited_seconds = _now() - waiting.arrived_seconds
        is_ready = waiting.refusal.reason is not Reason.NO_REPLICA
        left_seconds = (
            patience_seconds(
                self._limits,
                is_ready=is_ready,
                is_held=waiting.is_held,
                waited_seconds=waited_seconds,
                expected_seconds=waiting.asker.expected_seconds(),
            )
            - waited_seconds
        )
        if self._is_closed:
            raise ComptoirError(Reason.UNAVAILABLE, retry_after_seconds=_SOON_SECONDS)
        if left_seconds <= 0:
            raise again(waiting.refusal)
        if not is_ready and not waiting.is_held:
            self._hold(waiting)
        return left_seconds

    def _hold(self, waiting: _Waiting) -> None:
        asker = waiting.asker
        held_of_key = self._held_of_key.get(asker.key, 0)
        if self.held >= self._limits.held_requests or held_of_key >= asker.most_of_key:
            raise again(waiting.refusal)
        self._held_of_key[asker.key] = held_of_key + 1
        waiting.is_held = True

    def _leave(self, waiting: _Waiting) -> None:
        asker = waiting.asker
        self._lines[asker.model].remove(waiting)
        if not self._lines[asker.model]:
            del self._lines[asker.model]
        if waiting.is_held:
            self._held_of_key[asker.key] -= 1
            if not self._held_of_key[asker.key]:
                del self._held_of_key[asker.key]

    def _pass_on(self, waiting: _Waiting, in_vain: int) -> None:
        # The next one may fit on a replica where this one did not.
        line = self._lines[waiting.asker.model]
        behind = line.index(waiting) + 1
        if behind < len(line):
            line[behind].in_vain = in_vain
            line[behind].turn.set()


async def _called(waiting: _Waiting, within_seconds: float) -> bool:
    try:
        async with asyncio.timeout(within_seconds):
            await waiting.turn.wait()
    except TimeoutError:
        return False
    waiting.turn.clear()
    return True


def _now() -> float:
    return asyncio.get_running_loop().time()
