"""A request that waits for a silent replica, in virtual time: when it leaves, for whom, and what is left."""

import asyncio
import contextlib
import itertools
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.edge.domain.generation import GenerationRequest, Message, Role
from services.edge.domain.hedging import HedgeBudget, HedgeOutcome, Hedging
from services.edge.domain.ticketed_generation import TicketedGeneration
from services.kernel.errors import ComptoirError, Reason
from tests.services.edge.timed import NEVER, TimedGenerators, TimedReplica, TimedRouter
from tests.virtual_time import run

REQUEST = GenerationRequest("m", (Message(Role.USER, "x"),))
HEDGE_SECONDS = 30.0
MOVED, KEPT, BUSY = HedgeOutcome.MOVED, HedgeOutcome.KEPT, HedgeOutcome.BUSY
NOBODY_ELSE, OVER_BUDGET = HedgeOutcome.NOBODY_ELSE, HedgeOutcome.OVER_BUDGET


class Scene:
    """One request, its replicas and its router; `texts` is what came of it, `first_at` when."""

    def __init__(
        self, *replicas: TimedReplica, hedges: list[tuple[float, Reason | None]] | None = None
    ) -> None:
        self.replicas = replicas
        self.router = TimedRouter(replicas, hedges or [])
        self.outcomes: Counter[HedgeOutcome] = Counter()
        self.hedging = Hedging(HEDGE_SECONDS, HedgeBudget(), lambda one: self.outcomes.update([one]))
        generators = TimedGenerators({f"replica-{n}": one for n, one in enumerate(replicas, start=1)})
        self.generation = TicketedGeneration(
            generators, self.router.admission(), REQUEST, deadline_seconds=1e9, hedging=self.hedging
        )
        self.texts: list[str] = []
        self.first_at = NEVER

    async def read(self) -> None:
        """As a delivery does: to the end, or until it is cancelled or fails; then nothing is left."""
        try:
            await self.generation.start()
            while (delta := await self.generation.next_delta()) is not None:
                self.first_at = min(self.first_at, asyncio.get_running_loop().time())
                self.texts += [delta.text] if delta.text else []
        finally:
            self.generation.cancel()

    @property
    def budget_left(self) -> int:
        return next(number for number in itertools.count() if not self.hedging.budget.spend())


def served(*replicas: TimedReplica, hedges: list[tuple[float, Reason | None]] | None = None) -> Scene:
    """A request that was answered."""

    async def reading() -> Scene:
        scene = Scene(*replicas, hedges=hedges)
        await scene.read()
        return scene

    return run(reading())


def test_a_replica_that_accepted_and_says_nothing_is_left_once_there_is_another() -> None:
    scene = served(TimedReplica(speaks=NEVER), TimedReplica(speaks=2.0))
    assert (scene.texts, scene.first_at) == (["replica-2"], HEDGE_SECONDS + 2.0)
    assert scene.outcomes == {MOVED: 1}
    assert scene.generation.attempts == 2


def test_a_replica_that_does_not_even_accept_is_left_while_its_ticket_lives() -> None:
    scene = served(TimedReplica(accepts=NEVER), TimedReplica(speaks=1.0))
    assert (scene.texts, scene.first_at) == (["replica-2"], 6.0)


def test_a_replica_that_speaks_in_time_is_never_asked_about() -> None:
    scene = served(TimedReplica(accepts=4.0, speaks=25.0), TimedReplica())
    assert (scene.texts, scene.router.asked_at, scene.outcomes) == (["replica-1"], [], {})


def test_a_replica_that_works_keeps_its_request_which_asks_less_and_less_often() -> None:
    busy: list[tuple[float, Reason | None]] = [(0.0, Reason.REPLICA_OVERLOADED)] * 20
    scene = served(TimedReplica(speaks=100.0), TimedReplica(), hedges=busy)
    assert scene.texts == ["replica-1"]
    assert scene.outcomes[BUSY] == len(scene.router.asked_at) <= 9
    pauses = [later - at for at, later in itertools.pairwise(scene.router.asked_at)]
    assert all(0.5 * 2**n <= pause <= 2**n for n, pause in enumerate(pauses[:5]))
    assert scene.budget_left == 100


def test_where_nobody_else_is_there_the_first_is_as_good_as_before() -> None:
    scene = served(TimedReplica(speaks=100.0))
    assert (scene.texts, scene.first_at) == (["replica-1"], 100.0)
    assert set(scene.outcomes) == {NOBODY_ELSE}


def test_one_that_comes_later_is_moved_to() -> None:
    nobody: list[tuple[float, Reason | None]] = [(0.0, Reason.NO_REPLICA)] * 3
    scene = served(TimedReplica(speaks=NEVER), TimedReplica(), hedges=nobody)
    assert scene.texts == ["replica-2"]
    assert scene.outcomes == {NOBODY_ELSE: 3, MOVED: 1}


def test_no_further_ticket_is_asked_for_where_the_lease_has_none() -> None:
    scene = served(TimedReplica(speaks=500.0), hedges=[(0.0, Reason.LEASE_ENDED)])
    assert (scene.texts, len(scene.router.asked_at)) == (["replica-1"], 1)


def test_three_replicas_are_asked_at_most() -> None:
    hung = [TimedReplica(speaks=NEVER), TimedReplica(speaks=NEVER), TimedReplica(speaks=400.0)]
    scene = served(*hung, TimedReplica())
    assert [one.asked for one in scene.replicas] == [1, 1, 1, 0]
    assert (scene.texts, scene.generation.attempts) == (["replica-3"], 3)


def test_a_token_that_comes_while_the_router_is_asked_is_kept() -> None:
    scene = served(TimedReplica(speaks=HEDGE_SECONDS + 1), TimedReplica(), hedges=[(5.0, None)])
    assert (scene.texts, scene.first_at) == (["replica-1"], HEDGE_SECONDS + 1)
    assert (scene.outcomes, scene.replicas[1].asked) == ({KEPT: 1}, 0)
    assert scene.budget_left == 100


def test_a_replica_that_accepts_while_the_router_is_asked_is_kept() -> None:
    scene = served(TimedReplica(accepts=6.0), TimedReplica(), hedges=[(5.0, None)])
    assert (scene.texts, scene.outcomes) == (["replica-1"], {KEPT: 1})


def test_a_replica_that_fails_while_the_router_is_asked_is_left_with_that_ticket() -> None:
    failing = TimedReplica(speaks=HEDGE_SECONDS + 1, failure=Reason.UNAVAILABLE)
    scene = served(failing, TimedReplica(), hedges=[(5.0, None)])
    assert (scene.texts, scene.outcomes) == (["replica-2"], {MOVED: 1})
    assert scene.generation.attempts == 2


def test_a_request_beyond_the_budget_stays_and_tries_again() -> None:
    async def reading() -> Scene:
        scene = Scene(TimedReplica(speaks=NEVER), TimedReplica())
        while scene.hedging.budget.spend():
            pass
        task = asyncio.create_task(scene.read())
        await asyncio.sleep(HEDGE_SECONDS + 10)
        scene.hedging.budget.give_back()
        await task
        return scene

    scene = run(reading())
    assert scene.texts == ["replica-2"]
    assert scene.outcomes[OVER_BUDGET] >= 2


def test_a_request_whose_second_replica_fails_too_is_said_to_have_lost_its_replica() -> None:
    """So it is admitted anew: its first replica hangs, and the second was full."""

    async def reading() -> Scene:
        scene = Scene(TimedReplica(speaks=NEVER), TimedReplica(failure=Reason.REPLICA_OVERLOADED))
        with pytest.raises(ComptoirError) as raised:
            await scene.read()
        assert raised.value.reason is Reason.UNAVAILABLE
        assert scene.generation.has_left_one
        return scene

    assert run(reading()).generation.is_lease_unused


TIMES = st.sampled_from([0.0, 1.0, 4.0, 5.0, 6.0, 29.0, 30.0, 31.0, 33.0, 60.0, 61.0, NEVER])
REPLICAS = st.builds(
    TimedReplica,
    accepts=TIMES,
    speaks=TIMES,
    failure=st.sampled_from([None, None, Reason.UNAVAILABLE, Reason.REPLICA_OVERLOADED, Reason.INTERNAL]),
)
ANSWERS = st.tuples(
    st.sampled_from([0.0, 1.0, 5.0, 29.0]),
    st.sampled_from([None, None, Reason.NO_REPLICA, Reason.REPLICA_OVERLOADED, Reason.UNAVAILABLE]),
)


@settings(deadline=None)
@given(
    st.lists(REPLICAS, min_size=1, max_size=4),
    st.lists(ANSWERS, max_size=4),
    st.sampled_from([0.0, 5.0, 6.0, 30.0, 31.0, 35.0, 61.0, 400.0]),
)
def test_whatever_comes_first_one_replica_answers_and_nothing_is_left(
    replicas: list[TimedReplica], hedges: list[tuple[float, Reason | None]], leaves_at: float
) -> None:
    async def reading() -> Scene:
        scene = Scene(*replicas, hedges=list(hedges))
        with contextlib.suppress(TimeoutError, ComptoirError):
            async with asyncio.timeout(leaves_at):
                await scene.read()
        return scene

    scene = run(reading())
    assert len(scene.texts) <= 1
    assert [one.open for one in replicas] == [0] * len(replicas)
    assert scene.router.open == 0
    assert all(one.asked <= 1 for one in replicas)
    assert sum(one.asked for one in replicas) == scene.generation.attempts <= 3
    # Spent is what was moved, and nothing else.
    assert scene.budget_left == 100 - scene.outcomes[MOVED]
    assert scene.outcomes[MOVED] <= 2
    first = replicas[0]
    in_time = first.accepts < 5 and first.accepts + first.speaks < 30 and first.failure is None
    if in_time and first.accepts + first.speaks < leaves_at:
        assert scene.texts == ["replica-1"]
