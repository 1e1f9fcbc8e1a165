"""The routers of the region as one: the nearest that serves is asked, and another one where it is lost."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeVar

from services.edge.domain.generation import GenerationRequest
from services.edge.domain.ports import Admission, CountAdmission, Model, NotReadyReason, RouterLink, Standing
from services.kernel.backoff import Backoff
from services.kernel.clock import Clock
from services.kernel.errors import ComptoirError, Reason
from services.kernel.identity import Identity

# Several routers are looked at this often: one that hangs, drains or has no replica is left within a second.
_LOOK_SECONDS: Final = 0.5
# After the second failure of one question: the first one is asked again at once.
_FIRST_PAUSE_SECONDS: Final = 0.05
_LONGEST_PAUSE_SECONDS: Final = 1.0

_Answer = TypeVar("_Answer")


class NearestRouter:
    """The Router port on several routers, the nearest first.

    A question that a router did not answer, because it is gone or drains, is asked again: of the next one
    that serves, or of the first that serves again, for `unreachable_seconds` of waiting. An admission may be
    asked again because nobody has its ticket: what the lost router reserved for it ends with that ticket.
    """

    def __init__(self, links: Sequence[RouterLink], clock: Clock, *, unreachable_seconds: float) -> None:
        self._links = links
        self._clock = clock
        self._unreachable_seconds = unreachable_seconds
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

        return await self._ask(question)

    async def admit_count(
        self, *, key: str, request: GenerationRequest, request_id: Identity, source: int = 0
    ) -> CountAdmission:
        """Returns an offer to count the prompt of a request, which reserves nothing."""
        return await self._ask(
            lambda router: router.admit_count(key=key, request=request, request_id=request_id, source=source)
        )

    async def list_models(self, *, key: str, request_id: Identity, source: int = 0) -> tuple[Model, ...]:
        """Returns the models of a key under each of their names, retired ones last."""
        return await self._ask(
            lambda router: router.list_models(key=key, request_id=request_id, source=source)
        )

    async def not_ready_reason(self) -> NotReadyReason | None:
        """Returns why no router could place a request now, or None where one could; never raises."""
        reasons = await asyncio.gather(*(link.not_ready_reason() for link in self._links))
        if None in reasons:
            return None
        return max(reasons, key=lambda reason: reason is NotReadyReason.NO_REPLICA)

    async def watch(self) -> None:
        """Looks at every router, for ever: what is known of the others decides who is asked next."""
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            await asyncio.gather(*(link.look() for link in self._links))

    async def _ask(self, question: Callable[[RouterLink], Awaitable[_Answer]]) -> _Answer:
        backoff = Backoff(_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS)
        patience_seconds, failures = self._unreachable_seconds, 0
        while True:
            since_seconds = self._clock.monotonic_seconds()
            router = self._nearest() or await self._first_to_serve(patience_seconds)
            if failures > 1:
                await asyncio.sleep(backoff.next_seconds(jitter=random.random()))  # noqa: S311 - spreads retries
            # What the router holds a request for is not waited in vain.
            patience_seconds -= self._clock.monotonic_seconds() - since_seconds
            try:
                return await question(router)
            except ComptoirError as error:
                if error.reason is not Reason.UNAVAILABLE or patience_seconds <= 0:
                    raise
                failures += 1
                router.lose()

    def _nearest(self) -> RouterLink | None:
        """Returns the nearest that has a replica, else that serves, of those that stand equal the first."""
        best = max(self._links, key=_standing)
        return None if best.standing is Standing.LOST else best

    async def _first_to_serve(self, patience_seconds: float) -> RouterLink:
        """Returns the nearest as soon as one serves; UNAVAILABLE where none does in time."""
        try:
            async with asyncio.timeout(patience_seconds):
                while True:
                    self._has_news.clear()
                    if (nearest := self._nearest()) is not None:
                        return nearest
                    await self._has_news.wait()
        except TimeoutError:
            raise ComptoirError(Reason.UNAVAILABLE) from None


def _standing(link: RouterLink) -> Standing:
    return link.standing
