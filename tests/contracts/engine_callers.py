"""Requests as a generator serves them, ended early on an engine beside others, and looked for in its counts.

The engine's own counts say that a request is gone, and only while others run: an idle one is not asked.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from enum import Enum
from itertools import count
from typing import Final

from services.generator.domain.accepted import SharedParts
from services.generator.domain.delivery import deliver
from services.generator.domain.delta import Delta
from services.generator.domain.endings import DRAINED
from services.generator.domain.generation import Generation, Message, Order
from services.generator.domain.load import LoadSample
from services.generator.domain.ports import (
    Engine,
    EngineFailedError,
    EngineRequest,
    Feature,
    RequestFailedError,
)
from services.generator.domain.prompt import TokenIds
from services.generator.domain.recording import UsageRecorder
from services.generator.domain.terminal_event import Counts, Outcome, TerminalEvent
from services.generator.domain.ticket import Claims
from services.kernel.clock import SystemClock
from services.kernel.errors import ComptoirError
from services.kernel.identity import Identity
from tests.contracts.engine_requests import (
    BOUND_SECONDS,
    CONTEXT_TOKENS,
    LASTING,
    LASTING_TOKENS,
    RUNNING_REQUESTS,
    chat,
    idle,
    until,
)

# The promise is 200 ms or a step; a bound on a machine that does other things beside is none of it.
GONE_SECONDS: Final = 20.0
_STEPS: Final = 8
_TRIES: Final = 3
NUMBERS: Final = count(1)
_CLAIMS: Final = Claims(
    ticket_id=Identity(0, 0),
    request_id=Identity(1, 1),
    lease_id=Identity(1, 1),
    tenant=1,
    key=1,
    model=1,
    region=1,
    home_region=1,
    transfer_record=0,
    replica=1,
    max_input_tokens=CONTEXT_TOKENS,
    max_output_tokens=CONTEXT_TOKENS,
    priority=10,
    attempt=1,
    issued_at_microseconds=1,
    expires_at_microseconds=2,
    predicted_kv_blocks=1,
    digest=1,
)


class Phase(Enum):
    """Where a request is as it ends."""

    QUEUE = "queue"
    PREFILL = "prefill"
    DECODE = "decode"


class How(Enum):
    """What ends it, with the outcome that its event has."""

    CANCEL = Outcome.CLIENT_CANCELLED
    DEADLINE = Outcome.DEADLINE
    DRAIN = Outcome.SHED


class Tally:
    """A sink and a link that keep what they are given."""

    def __init__(self) -> None:
        self.events: list[TerminalEvent] = []
        self.settled: list[Counts] = []

    async def record(self, event: TerminalEvent) -> None:
        self.events.append(event)

    async def record_load(self, sample: LoadSample) -> None:
        raise AssertionError(sample)

    def accept(self, claims: Claims) -> None:
        raise AssertionError(claims)

    def settle(self, claims: Claims, used: Counts, *, is_unserved: bool) -> None:
        self.settled.append(used)


class Caller:
    """One request as a generator serves it; `send` is what the way to its caller does with each message."""

    def __init__(
        self, engine: Engine, prompt: Sequence[int], tokens: int, *, deadline_seconds: float | None = None
    ) -> None:
        self.tally, self.messages, clock = Tally(), list[Message](), SystemClock()
        self.recorder = UsageRecorder(self.tally, max_unrecorded=100)
        parts = SharedParts(engine, self.recorder, self.tally, clock, b"s" * 32, BOUND_SECONDS, 64)
        order = Order(
            claims=replace(_CLAIMS, ticket_id=Identity.random()),
            prompt=TokenIds(prompt),
            sampling=replace(LASTING, max_output_tokens=tokens),
            is_streamed=True,
            received_seconds=clock.monotonic_seconds(),
            received_at_microseconds=clock.wall_microseconds(),
            deadline_seconds=deadline_seconds,
        )
        self.generation = Generation(order, parts)
        self.serving: asyncio.Task[None] | None = None

    async def send(self, message: Message) -> None:
        self.messages.append(message)

    def start(self, *, max_seconds: float = BOUND_SECONDS) -> None:
        self.serving = asyncio.create_task(deliver(self.generation, self.send, max_seconds=max_seconds))

    def end(self, how: How) -> None:
        assert self.serving is not None
        if how is How.DRAIN:
            self.generation.interrupt(DRAINED)
        else:
            # gRPC cancels a call at its deadline too; what the order says of it tells them apart.
            self.serving.cancel()

    async def event(self) -> TerminalEvent:
        """The one event of the request, once all of it is over."""
        assert self.serving is not None
        async with asyncio.timeout(BOUND_SECONDS):
            (failure,) = await asyncio.gather(self.serving, return_exceptions=True)
        assert failure is None or isinstance(failure, ComptoirError | asyncio.CancelledError), failure
        assert await self.recorder.settled(BOUND_SECONDS) == 0
        assert self.recorder.failed_endings == 0
        (event,) = self.tally.events
        assert len(self.tally.settled) == 1
        return event


class Others:
    """Requests that run beside; each of their tokens is counted in the turn in which it comes."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._ids: list[str] = []
        self.output_tokens = 0

    async def come(self, prompt: Sequence[int], number: int) -> None:
        salt = "salt" if Feature.PREFIX_SALT in self._engine.capabilities.features else None
        for _ in range(number):
            self._ids.append(Identity.random().hex)
            request = EngineRequest(self._ids[-1], TokenIds(prompt), LASTING, LASTING_TOKENS, cache_salt=salt)
            await self._engine.submit(request, self._take)

    async def go(self, number: int | None = None) -> None:
        for request_id in self._ids[:number]:
            await self._engine.abort(request_id)

    def _take(self, said: Delta | EngineFailedError | RequestFailedError | ComptoirError) -> None:
        assert isinstance(said, Delta), said
        self.output_tokens += said.output_tokens


@asynccontextmanager
async def beside(engine: Engine, number: int) -> AsyncIterator[Others]:
    """So many others that the engine says it runs, and nothing else."""
    others = Others(engine)
    try:
        await others.come(await chat(engine), number)
        await until(lambda: counts(engine) == (number, 0), BOUND_SECONDS)
        yield others
    finally:
        await others.go()
        await idle(engine)


def counts(engine: Engine) -> tuple[int | None, int | None]:
    """What the engine itself says that it runs, and that waits."""
    load = engine.load()
    return load.running_requests, load.waiting_requests


class OthersEndedError(AssertionError):
    """What ran beside ended before anybody could look: this process stood still for as long."""


class Gone:
    """Looks at the engine's counts, for some steps of the others too: what was just sent is in none yet."""

    def __init__(self, engine: Engine, others: Others, number: int) -> None:
        self._engine, self._others, self._number = engine, others, number
        self._began_seconds = asyncio.get_running_loop().time()
        self._last_tokens = others.output_tokens + _STEPS * number
        self.seconds = 0.0
        self._is_gone = False

    def is_sure(self) -> bool:
        """Whether it is gone; `seconds` is how long it was there."""
        if self._engine.unfinished_requests() < self._number:
            raise OthersEndedError
        was_gone, self._is_gone = self._is_gone, counts(self._engine) == (self._number, 0)
        if self._is_gone and not was_gone:
            self.seconds = asyncio.get_running_loop().time() - self._began_seconds
        return self._is_gone and self._others.output_tokens >= self._last_tokens


@dataclass(frozen=True)
class Ended:
    """What became of a request that was ended, and how long its engine still spoke of it."""

    event: TerminalEvent
    gone_seconds: float
    unclaimed_tokens: int


async def end_early(engine: Engine, phase: Phase, how: How, *, keeps_queue: bool = False) -> Ended:
    """Ends a request in a phase, beside others, and waits until the engine's own counts are theirs alone.

    An engine that keeps its queue drops what is gone from it as a place becomes free: then one of the others
    goes too. Where the others ended meanwhile nothing was seen, and it is tried again.
    """
    for _ in range(_TRIES):
        with suppress(OthersEndedError):
            return await _end_early(engine, phase, how, keeps_queue=keeps_queue)
    raise OthersEndedError


async def _end_early(engine: Engine, phase: Phase, how: How, *, keeps_queue: bool) -> Ended:
    others_of = RUNNING_REQUESTS if phase is Phase.QUEUE else 1
    # Nothing of it is cached, so that a long prompt takes its time.
    word = f"Numéro {next(NUMBERS)}. "
    prompt = await chat(engine, word * 60 if phase is Phase.PREFILL else word)
    made_before = engine.load().output_tokens_total
    async with beside(engine, others_of) as others:
        late = SystemClock().monotonic_seconds() if how is How.DEADLINE else None
        caller = Caller(engine, prompt, CONTEXT_TOKENS - len(prompt), deadline_seconds=late)
        caller.start()
        if phase is Phase.QUEUE:
            await until(lambda: counts(engine) == (others_of, 1), BOUND_SECONDS)
        elif phase is Phase.PREFILL:
            await until(lambda: engine.unfinished_requests() == others_of + 1, BOUND_SECONDS)
        else:
            await until(lambda: len(caller.messages) > 3 and counts(engine) == (2, 0), BOUND_SECONDS)
        gone = Gone(engine, others, others_of)
        caller.end(how)
        event = await caller.event()
        if keeps_queue and phase is Phase.QUEUE:
            await others.go(1)
            gone = Gone(engine, others, others_of - 1)
        await until(gone.is_sure, GONE_SECONDS)
    made = engine.load().output_tokens_total - made_before
    return Ended(event, gone.seconds, made - others.output_tokens - event.counts.output_tokens)
