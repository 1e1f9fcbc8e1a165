"""The asyncio client's hedge in virtual time: replica, router and caller act at any moment."""

import asyncio
import contextlib
import itertools

import grpc
from comptoir.client.aio_hedge import Hedge, ReplicaLeftError
from comptoir.client.errors import ComptoirError
from comptoir.client.hedging import Hedging
from comptoir.error.v1.error_reason_pb2 import ERROR_REASON_NO_REPLICA, ErrorDetail
from comptoir.router.v1.router_pb2 import TicketOffer
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.services.edge.timed import NEVER, passed
from tests.virtual_time import run

HEDGE_SECONDS = 30.0
# Of the acceptance, and of the first token behind it.
WORDS = st.tuples(*[st.sampled_from([0.0, 4.0, 5.0, 6.0, 30.0, 33.0, NEVER])] * 2)
# When the router answers a question, and whether it has a ticket.
ANSWERS = st.lists(st.tuples(st.sampled_from([0.0, 1.0, 28.0]), st.booleans()), max_size=4)


class Scene:
    """One request of a client: when its replica speaks, and what its router answers."""

    def __init__(self, words: tuple[float, float], answers: list[tuple[float, bool]]) -> None:
        self.hedging = Hedging(HEDGE_SECONDS)
        self.left: list[TicketOffer] = []
        self.heard: list[bool] = []
        self._words, self._answers = words, iter(answers)

    async def ask(self) -> TicketOffer:
        seconds, has_ticket = next(self._answers, (0.0, False))
        await passed(seconds)
        if not has_ticket:
            detail = ErrorDetail(reason=ERROR_REASON_NO_REPLICA)
            raise ComptoirError(detail, grpc.StatusCode.UNAVAILABLE)
        return TicketOffer(generator_address="another")

    async def run(self, leaves_at: float) -> None:
        hedge = Hedge(self.hedging)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(leaves_at):
                await self._read(hedge)
        hedge.stop()

    async def _read(self, hedge: Hedge) -> None:
        hedge.begin()
        try:
            for seconds, is_accepted in zip(self._words, (False, True), strict=True):
                await hedge.wait(passed(seconds), self.ask, is_accepted=is_accepted)
                hedge.stop()
                self.heard.append(is_accepted)
        except ReplicaLeftError as leaving:
            self.left.append(leaving.offer)

    @property
    def budget_left(self) -> int:
        return next(number for number in itertools.count() if not self.hedging.budget.spend())


@settings(deadline=None)
@given(WORDS, ANSWERS, st.sampled_from([3.0, 5.0, 6.0, 30.0, 31.0, 90.0]))
def test_what_comes_first_counts_and_what_is_spent_for_nothing_is_given_back(
    words: tuple[float, float], answers: list[tuple[float, bool]], leaves_at: float
) -> None:
    scene = Scene(words, answers)
    run(scene.run(leaves_at))
    assert len(scene.left) + len(scene.heard) <= 2
    assert scene.budget_left == 100 - len(scene.left)
    if words[0] < 5 and sum(words) < min(HEDGE_SECONDS, leaves_at):
        assert scene.heard == [False, True]
