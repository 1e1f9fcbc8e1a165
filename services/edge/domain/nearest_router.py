"""The routers of the region as one: the nearest that serves is asked, and another one where it is lost."""

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeVar

from services.edge.domain.asked_twice import answer_of, first_answer
from services.edge.domain.generation import GenerationRequest
from services.edge.domain.hedging import HedgeBudget
from services.edge.domain.nearness import Candidate, equally_near, nearest
from services.edge.domain.ports import Admission, CountAdmission, Model, NotReadyReason, RouterLink, Standing
from services.edge.domain.router_spread import RouterSpread
from services.kernel.backoff import Backoff
from services.kernel.clock import Clock
from services.kernel.errors import ComptoirError, Reason
from services.kernel.identity import Identity

# Several routers are looked at this often: one that hangs, drains or has no replica is left within a second.
_LOOK_SECONDS: Final = 0.25
# A question that is open is looked at this often: its router may have fallen silent.
_PATIENCE_SECONDS: Final = 0.2
# After the second failure of one question: the first one is asked again at once.
_FIRST_PAUSE_SECONDS: Final = 0.05
_LONGEST_PAUSE_SECONDS: Final = 1.0

_Answer = TypeVar("_Answer")


class NearestRouter:
    """The Router port on several routers, the nearest first.

    A question that a router did not answer, because it is gone or drains, is asked again: of the next one
    that serves, or of the first that serves again, for `unreachable_seconds` of waiting. An admission may be
    asked again because nobody has its ticket: what the lost router reserved for it ends with that ticket.
    What a router leaves open that has fallen silent is asked of another one too, and the first answer counts;
    within the budget `twice`, since routers that are only busy would have twice the work else. With a
    `spread` those that are about equally near share the questions, in place of the first of them.
    """

    def __init__(
        self,
        links: Sequence[RouterLink],
        clock: Clock,
        *,
        unreachable_seconds: float,
        nearer_seconds: float,
        twice: HedgeBudget | None = None,
        spread: RouterSpread | None = None,
    ) -> None:
        self._links = links
        self._clock = clock
        self._unreachable_seconds = unreachable_seconds
        self._nearer_seconds = nearer_seconds
        self._twice = twice or HedgeBudget()
        self._spread = spread
        self._chosen: int | None = None
        self._releasing: set[asyncio.Task[None]] = set()
        self._has_news = asyncio.Event()
        for link in links:
            link.tell(self._has_news.set)

    async def admit(
        self,
        *,
        key: str,
        request: GenerationRequest,
        request_id: Identity,
        within_seconds: float,
        source: int = 0,
    ) -> Admission:
        """Reserves quota and returns an offer, and a way to more of the same router."""
        until_seconds = self._clock.monotonic_seconds() + within_seconds

        def question(router: RouterLink) -> Awaitable[Admission]:
            left_seconds = max(0.0, until_seconds - self._clock.monotonic_seconds())
            return router.admit(
                key=key, request=request, request_id=request_id, within_seconds=left_seconds, source=source
            )

        turn = 0 if self._spread is None else self._spread.turn_of(key, request, request_id)
        return await self._ask(question, turn)

    async def admit_count(
        self, *, key: str, request: GenerationRequest, request_id: Identity, source: int = 0
    ) -> CountAdmission:
        """Returns an offer to count the prompt of a request, which reserves nothing."""
        return await self._ask(
            lambda router: router.admit_count(key=key, request=request, request_id=request_id, source=source),
            request_id.low,
        )

    async def list_models(self, *, key: str, request_id: Identity, source: int = 0) -> tuple[Model, ...]:
        """Returns the models of a key under each of their names, retired ones last."""
        return await self._ask(
            lambda router: router.list_models(key=key, request_id=request_id, source=source), request_id.low
        )

    async def not_ready_reason(self) -> NotReadyReason | None:
        """Returns why no router could place a request now, or None where one could; never raises."""
        reasons = await asyncio.gather(*(link.not_ready_reason() for link in self._links))
        if None in reasons:
            return None
        return max(reasons, key=lambda reason: reason is NotReadyReason.NO_REPLICA)

    async def watch(self) -> None:
        """Looks at every router, for ever: what is known of the others decides who is asked next."""
        async with asyncio.TaskGroup() as group:
            for link in self._links:
                group.create_task(_watch(link))

    async def _ask(self, question: Callable[[RouterLink], Awaitable[_Answer]], turn: int) -> _Answer:
        backoff = Backoff(_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS)
        patience_seconds, failures = self._unreachable_seconds, 0
        while True:
            since_seconds = self._clock.monotonic_seconds()
            router = self._nearest(turn) or await self._first_to_serve(patience_seconds, turn)
            if failures > 1:
                await asyncio.sleep(backoff.next_seconds(jitter=random.random()))  # noqa: S311 - spreads retries
            # What the router holds a request for is not waited in vain.
            patience_seconds -= self._clock.monotonic_seconds() - since_seconds
            try:
                return await self._answer(router, question, turn)
            except ComptoirError as error:
                if error.reason is not Reason.UNAVAILABLE or patience_seconds <= 0:
                    raise
                failures += 1
                router.lose()

    async def _answer(
        self, router: RouterLink, question: Callable[[RouterLink], Awaitable[_Answer]], turn: int
    ) -> _Answer:
        """Returns what the router answers; where it falls silent, what that or another one answers first."""
        if len(self._links) == 1:
            return await question(router)
        self._twice.earn()
        asked = [self._begin(question, router)]
        given: _Answer | None = None
        try:
            if (other := await self._instead_of(router, asked[0], turn)) is not None:
                asked.append(self._begin(question, other))
            given = await first_answer(asked)
            return given
        finally:
            for one in asked:
                one.cancel()
                self._give_back(answer_of(one), given)

    def _begin(
        self, question: Callable[[RouterLink], Awaitable[_Answer]], router: RouterLink
    ) -> "asyncio.Future[_Answer]":
        if self._spread is not None:
            self._spread.count(self._links.index(router))
        return asyncio.ensure_future(question(router))

    async def _instead_of(
        self, router: RouterLink, asked: "asyncio.Future[_Answer]", turn: int
    ) -> RouterLink | None:
        """Returns another router once that one is silent and the other is not; None once it has answered.

        Where the budget is spent, what is open waits until it is answered or its router is lost.
        """
        while True:
            await asyncio.wait({asked}, timeout=_PATIENCE_SECONDS)
            if asked.done():
                return None
            if router.standing <= Standing.SILENT:
                other = self._nearest(turn)
                if other is not None and other.standing > Standing.SILENT and self._twice.spend():
                    return other

    def _give_back(self, answer: object, given: object) -> None:
        """Gives the lease of an admission back that came beside another one."""
        if isinstance(answer, Admission) and answer is not given:
            task = asyncio.create_task(_release(answer))
            self._releasing.add(task)
            task.add_done_callback(self._releasing.discard)

    def _nearest(self, turn: int) -> RouterLink | None:
        """Returns the nearest that has a replica, else that serves; None where none does.

        Where questions are spread, it is that of the nearest whose turn it is.
        """
        candidates = [Candidate(link.standing, link.round_trip_seconds) for link in self._links]
        if self._spread is None:
            place = nearest(candidates, self._chosen, self._nearer_seconds)
        else:
            place = self._spread.choose(equally_near(candidates, self._nearer_seconds), turn)
        if candidates[place].standing is Standing.LOST:
            return None
        self._chosen = place
        return self._links[place]

    async def _first_to_serve(self, patience_seconds: float, turn: int) -> RouterLink:
        """Returns the nearest as soon as one serves; UNAVAILABLE where none does in time."""
        try:
            async with asyncio.timeout(patience_seconds):
                while True:
                    self._has_news.clear()
                    if (nearest := self._nearest(turn)) is not None:
                        return nearest
                    await self._has_news.wait()
        except TimeoutError:
            raise ComptoirError(Reason.UNAVAILABLE) from None


async def _watch(link: RouterLink) -> None:
    while True:
        await asyncio.sleep(_LOOK_SECONDS)
        await link.look()


async def _release(admission: Admission) -> None:
    with contextlib.suppress(ComptoirError):
        # Where its router does not take it back, it ends with its ticket.
        await admission.release()
