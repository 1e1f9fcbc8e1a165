"""A pool of replicas for which requests wait, as the lines see it."""

import asyncio
import math
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from services.kernel.errors import ComptoirError, Reason
from services.router.domain.place_lines import PlaceLines
from services.router.domain.place_turns import Asker
from services.router.domain.placement.kinds import NO_KINDS, Kind, Kinds, Requirement
from services.router.domain.waiting_lines import again
from tests.fakes.router import changed_limits

NONE, FULL, BUSY_KEY = Reason.NO_REPLICA, Reason.REPLICA_OVERLOADED, Reason.CONCURRENCY_EXHAUSTED

BATCH = 20


class Pool:
    """The replicas of one model as requests find them: none, or some free places."""

    def __init__(self, **limits: Any) -> None:
        # Everything is of one kind.
        self.kinds: Kinds = frozenset({Kind()})
        known = changed_limits(**{"hold_seconds": 30.0, "place_wait_seconds": 0.0, **limits})
        self.lines = PlaceLines(known, lambda _model: self.kinds)
        self.free_places: int | None = None
        self.expected_seconds = math.inf
        self.busy_keys: set[int] = set()
        self.placed: list[int] = []
        self.attempts = 0
        self.held_back: ComptoirError | None = None
        # The free places of each kind, where there are several, and the kind of each place that was taken.
        self.places: dict[Kind, int] = {}
        self.kind_of: dict[int, Kind] = {}
        # What becomes of a request that has a place, until it has its lease too.
        self.lend: Callable[[int], Awaitable[None]] = _lent

    def attempt(
        self, number: int, key: int, size: int, *, is_batch: bool = False
    ) -> Callable[[], Awaitable[int]]:
        async def take() -> int:
            self.attempts += 1
            if is_batch and self.held_back is not None:
                raise again(self.held_back)
            if key in self.busy_keys:
                raise ComptoirError(BUSY_KEY)
            if self.free_places is None:
                raise ComptoirError(NONE, retry_after_seconds=1.0)
            if self.free_places < size:
                raise ComptoirError(FULL, retry_after_seconds=1.0)
            self.free_places -= size
            self.placed.append(number)
            return number

        return take

    async def ask(
        self, number: int, *, priority: int = 10, key: int = 1, most: int = 99, size: int = 1
    ) -> "asyncio.Task[int]":
        """Asks for a place as admission does, and lets it get as far as it can."""
        asker = Asker(1, key, priority, most, lambda: self.expected_seconds)
        attempt = self.attempt(number, key, size, is_batch=priority == BATCH)

        async def asking() -> int:
            before = self.lines.before(asker)
            refusal = None if before is None else before.refusal
            if refusal is None:
                try:
                    return await attempt()
                except ComptoirError as refused:
                    refusal = refused
            return await self.lines.wait(asker, refusal, attempt)

        task = asyncio.create_task(asking())
        await settle()
        return task

    def take(self, number: int, required: Requirement) -> Callable[[Kinds], int]:
        """Returns what takes a place of the kind with most that may serve a request, none of `left`."""

        def place(left: Kinds) -> int:
            suited = [kind for kind in self.places if kind.may_serve(required) and kind not in left]
            if not suited:
                raise ComptoirError(NONE, retry_after_seconds=1.0)
            chosen = max(suited, key=lambda kind: self.places[kind])
            if not self.places[chosen]:
                raise ComptoirError(FULL, retry_after_seconds=1.0)
            self.places[chosen] -= 1
            self.kind_of[number] = chosen
            self.placed.append(number)
            return number

        return place

    async def ask_for(self, number: int, required: Requirement) -> "asyncio.Task[int]":
        """Asks for a place of a kind that may serve a request, as admission does."""
        asker, take = (
            Asker(1, number, 10, 99, lambda: self.expected_seconds, required),
            self.take(number, required),
        )

        async def attempt() -> int:
            take(NO_KINDS)
            try:
                await self.lend(number)
            except BaseException:
                self.placed.remove(number)
                self.places[self.kind_of[number]] += 1
                raise
            return number

        async def asking() -> int:
            try:
                return self.lines.place(asker, take)
            except ComptoirError as refused:
                return await self.lines.wait(asker, refused, attempt)

        task = asyncio.create_task(asking())
        await settle()
        return task

    async def change_kinds(self, places: dict[Kind, int]) -> None:
        """Other replicas, or other free places of them."""
        self.places, self.kinds = dict(places), frozenset(places)
        self.lines.free(1)
        await settle()

    async def change(self, places: int | None) -> None:
        """Another number of places, or no replica that is ready, as the directory is told."""
        self.free_places = places
        self.lines.free(1)
        await settle()

    async def let_batch_go(self) -> None:
        """Nothing holds batch back any more, as the watch finds out."""
        self.held_back = None
        self.lines.free_batch()
        await settle()

    def is_empty(self) -> bool:
        return not (self.lines.waiting or self.lines.held or self.lines._lines)


async def _lent(number: int) -> None:
    """Lends to whoever it is."""


async def settle() -> None:
    for _ in range(400):
        await asyncio.sleep(0)


async def refusal_of(asking: "asyncio.Task[int]") -> ComptoirError:
    with pytest.raises(ComptoirError) as refusal:
        await asyncio.wait_for(asking, 5)
    return refusal.value
