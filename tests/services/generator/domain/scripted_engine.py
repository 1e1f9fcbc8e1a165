"""An engine that does what a test says, and all that a generation sees of the world."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from services.generator.domain.accepted import SharedParts
from services.generator.domain.delivery import deliver
from services.generator.domain.delta import Delta, EngineFinish
from services.generator.domain.generation import Finished, Generation, Message, Order
from services.generator.domain.ports import (
    CallerGoneError,
    Capabilities,
    EngineFailedError,
    EngineLoad,
    EngineRequest,
    Feature,
    Receive,
    RequestFailedError,
)
from services.generator.domain.prompt import Chat, ChatTurn, Role, Text
from services.generator.domain.recording import UsageRecorder
from services.generator.domain.sampling import Sampling
from services.generator.domain.terminal_event import Outcome
from services.kernel.clock import ManualClock
from services.kernel.errors import ComptoirError
from tests.services.generator.domain.test_ticket import CLAIMS
from tests.services.generator.running import RememberingLink, RememberingSink

STEPS = 4
VOCABULARY_TOKENS = 128
EVERYTHING = Feature.TOKEN_IDS | Feature.PREFIX_SALT | Feature.PRIORITY


@dataclass
class ScriptedEngine:
    """Counts the prompt at moment 0, takes the request in at 1, and gives a token at each of the others.

    At `failure_at` it fails; at `stands_at` it stands still until the request is aborted.
    """

    failure_at: int = -1
    failure: Exception | None = None
    stands_at: int = -1
    finish: EngineFinish = EngineFinish.STOP
    features: Feature = EVERYTHING
    deltas: Sequence[Delta] = ()
    aborted: int = 0
    requests: list[EngineRequest] = field(default_factory=list)
    age_seconds: float = 0.0
    running_requests: int | None = None
    moment: int = -1
    _work: asyncio.Task[None] | None = None
    _receive: Receive | None = None

    @property
    def open_requests(self) -> int:
        return 0 if self._receive is None else 1

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(64, 16, 100, self.features, VOCABULARY_TOKENS)

    async def tokenize(self, prompt: Chat | Text) -> Sequence[int]:
        await self._reach(0)
        return [1, 2, 3]

    async def detokenize(self, ids: Sequence[int], *, spells_controls: bool = False) -> str:
        return "".join(map(chr, ids))

    async def submit(self, request: EngineRequest, receive: Receive) -> None:
        self.requests.append(request)
        self._receive = receive
        try:
            await self._reach(1)
        except Exception:
            self._receive = None
            raise
        self._work = asyncio.create_task(self._generate(receive))

    async def abort(self, request_id: str) -> None:
        self.aborted += 1
        if self._work is not None:
            self._work.cancel()
        self._end(Delta(finish=EngineFinish.ABORT))

    def load(self) -> EngineLoad:
        running = self.open_requests if self.running_requests is None else self.running_requests
        return EngineLoad(running, 0, 0.0, self.age_seconds, 0, 0)

    def unfinished_requests(self) -> int:
        return self.open_requests

    async def _generate(self, receive: Receive) -> None:
        deltas = self.deltas or [Delta("" if number == 1 else "é", 1) for number in range(STEPS)]
        try:
            for number, delta in enumerate(deltas, start=2):
                await self._reach(number)
                if number < len(deltas) + 1:
                    receive(delta)
            delta.finish = self.finish
            self._end(delta)
        except (EngineFailedError, RequestFailedError) as failure:
            self._end(failure)

    def _end(self, news: Delta | EngineFailedError | RequestFailedError) -> None:
        receive, self._receive = self._receive, None
        if receive is not None:
            receive(news)

    async def _reach(self, moment: int) -> None:
        await asyncio.sleep(0)
        self.moment = moment
        if moment == self.stands_at:
            await asyncio.Event().wait()
        if moment == self.failure_at and self.failure is not None:
            raise self.failure


class World:
    """One generation and everything around it."""

    def __init__(self, engine: ScriptedEngine, *, deadline_seconds: float | None = None) -> None:
        self.engine, self.sink, self.link = engine, RememberingSink(), RememberingLink()
        self.clock = ManualClock()
        self.recorder = UsageRecorder(self.sink, max_unrecorded=10)
        self.parts = SharedParts(engine, self.recorder, self.link, self.clock, b"s" * 32, 60.0, 64)  # type: ignore[arg-type]
        self.order = Order(
            claims=CLAIMS,
            prompt=Chat((ChatTurn(Role.USER, "x"),)),
            sampling=Sampling(),
            is_streamed=True,
            received_seconds=self.clock.monotonic_seconds(),
            received_at_microseconds=self.clock.wall_microseconds(),
            deadline_seconds=deadline_seconds,
        )
        self.generation = Generation(self.order, self.parts)
        self.sent: list[Message] = []
        self.sends_until_gone = -1
        self.was_concluded_when_gone: bool | None = None

    async def send(self, message: Message) -> None:
        await asyncio.sleep(0)
        self.clock.advance(0.001)
        if len(self.sent) == self.sends_until_gone:
            self.was_concluded_when_gone = self.is_concluded
            raise CallerGoneError
        self.sent.append(message)

    @property
    def is_concluded(self) -> bool:
        """Whether it is settled how the generation ended."""
        return bool(self.link.settled_leases or self.link.unserved_leases)

    async def serve(self) -> BaseException | None:
        try:
            await deliver(self.generation, self.send, max_seconds=60.0)
        except (ComptoirError, asyncio.CancelledError, ZeroDivisionError) as error:
            return error
        return None

    async def check_ended(self) -> Outcome:
        assert await self.recorder.settled(1.0) == 0
        assert self.engine.open_requests == 0
        (event,) = self.sink.events
        assert len(self.link.settled_leases) + len(self.link.unserved_leases) == 1
        delivered = sum(m.output_tokens for m in self.sent if isinstance(m, Delta))
        assert delivered <= event.counts.output_tokens <= STEPS
        if any(isinstance(message, Finished) for message in self.sent):
            assert event.ending.outcome in (Outcome.STOP, Outcome.LENGTH)
            assert delivered == event.counts.output_tokens
        return event.ending.outcome
