"""Ten thousand requests for an engine without room for them, each ended at any moment in any way."""

import asyncio
import gc
import random
from collections import Counter
from dataclasses import replace
from typing import Final

from services.generator.adapters.simulated.engine import SimulatedEngine
from services.generator.domain.accepted import SharedParts
from services.generator.domain.delivery import deliver
from services.generator.domain.endings import DRAINED
from services.generator.domain.engine_parameters import ServedModel, SimulatedParameters
from services.generator.domain.generation import Generation, Message, Order
from services.generator.domain.load import LoadSample
from services.generator.domain.ports import CallerGoneError
from services.generator.domain.prompt import Chat, ChatTurn, Role
from services.generator.domain.recording import UsageRecorder
from services.generator.domain.sampling import Sampling
from services.generator.domain.terminal_event import Counts, Outcome, TerminalEvent
from services.generator.domain.ticket import Claims
from services.kernel.clock import SystemClock
from services.kernel.errors import ComptoirError
from services.kernel.identity import Identity
from tests.services.generator.domain.test_ticket import CLAIMS

_REQUESTS: Final = 10_000
_AT_ONCE: Final = 40
_WARM: Final = 2_000
# Few enough that answers of eight at once run out of blocks.
_PARAMETERS: Final = SimulatedParameters(
    ttft_seconds=0.0, itl_seconds=0.001, kv_blocks=30, max_running_requests=8, answer_tokens=60
)


class Tally:
    """A sink and a link that keep numbers, and nothing of a request."""

    def __init__(self) -> None:
        self.events = Counter[int]()
        self.outcomes = Counter[Outcome]()
        self.output_tokens = self.settled_tokens = 0

    async def record(self, event: TerminalEvent) -> None:
        self.events[event.claims.ticket_id.low] += 1
        self.outcomes[event.ending.outcome] += 1
        self.output_tokens += event.counts.output_tokens

    async def record_load(self, sample: LoadSample) -> None:
        raise AssertionError(sample)

    def accept(self, claims: Claims) -> None:
        raise AssertionError(claims)

    def settle(self, claims: Claims, used: Counts, *, is_unserved: bool) -> None:
        assert not (is_unserved and used.output_tokens), claims
        self.settled_tokens += used.output_tokens


class Churn:
    """Callers that come, wait, read slowly, go, and are sent away."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.clock = SystemClock()
        self.engine = SimulatedEngine(ServedModel(400), _PARAMETERS, self.clock, self._turn)
        self.tally = Tally()
        self.recorder = UsageRecorder(self.tally, max_unrecorded=1_000)
        self.parts = SharedParts(self.engine, self.recorder, self.tally, self.clock, b"s" * 32, 60.0, 64)

    async def _turn(self, _seconds: float) -> None:
        await asyncio.sleep(0)

    def generation(self, number: int) -> Generation:
        words = self.random.choice(["x", "Bonjour à tous. "]) * self.random.randint(1, 12)
        claims = replace(CLAIMS, ticket_id=Identity(1, number), request_id=Identity(2, number))
        order = Order(
            claims=replace(claims, max_input_tokens=300, max_output_tokens=100),
            prompt=Chat((ChatTurn(Role.USER, words),)),
            sampling=Sampling(),
            is_streamed=True,
            received_seconds=self.clock.monotonic_seconds(),
            received_at_microseconds=self.clock.wall_microseconds(),
            deadline_seconds=None,
        )
        return Generation(order, self.parts)

    async def call(self, number: int) -> None:
        generation, chance = self.generation(number), self.random.random()
        reads = self.random.randint(0, 40)

        async def send(_message: Message) -> None:
            nonlocal reads
            reads -= 1
            if chance < 0.2 and reads < 0:
                raise CallerGoneError
            for _ in range(3 if chance < 0.4 else 0):
                await asyncio.sleep(0)

        serving = asyncio.create_task(deliver(generation, send, max_seconds=60.0))
        if chance > 0.6:
            # At least one: a call that is cancelled before it begins is none.
            for _ in range(self.random.randint(1, 120)):
                await asyncio.sleep(0)
            if chance > 0.9:
                generation.interrupt(DRAINED)
            else:
                serving.cancel()
        (outcome,) = await asyncio.gather(serving, return_exceptions=True)
        assert outcome is None or isinstance(outcome, ComptoirError | asyncio.CancelledError), outcome

    async def run(self, numbers: range) -> None:
        """Has so many at once until all are over."""
        left = iter(numbers)

        async def caller() -> None:
            for number in left:
                await self.call(number)

        await asyncio.gather(*(caller() for _ in range(_AT_ONCE)))
        assert await self.recorder.settled(10.0) == 0


async def test_ten_thousand_endings_are_one_event_each_and_leave_nothing() -> None:
    churn, defects = Churn(7), list[str]()
    asyncio.get_running_loop().set_exception_handler(lambda _, said: defects.append(said["message"]))
    await churn.run(range(_WARM))
    gc.collect()
    objects = len(gc.get_objects())
    await churn.run(range(_WARM, _REQUESTS))
    gc.collect()
    assert len(gc.get_objects()) - objects < 200, "something stays of each request"
    assert defects == [], "a call that nobody waits for failed"
    tally, load = churn.tally, churn.engine.load()
    assert (len(tally.events), set(tally.events.values())) == (_REQUESTS, {1})
    interrupted = sum(tally.outcomes[outcome] for outcome in (Outcome.CLIENT_CANCELLED, Outcome.SHED))
    # What is made in the step in which a request ends from outside is nobody's; then it is gone.
    assert 0 <= load.output_tokens_total - tally.output_tokens <= interrupted
    assert tally.settled_tokens == tally.output_tokens
    assert (churn.engine.unfinished_requests(), load.kv_usage) == (0, 0.0)
    assert (load.preempted_requests_total or 0) > 100
    assert min(tally.outcomes[one] for one in (Outcome.STOP, Outcome.CLIENT_CANCELLED, Outcome.SHED)) > 300
