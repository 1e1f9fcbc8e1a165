"""An engine of vectors without a model: steps and a queue as vLLM has them, and numbers from a hash."""

import array
import asyncio
import hashlib
import heapq
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from services.generator.adapters.simulated.text import VOCABULARY_TOKENS, detokenize, tokenize
from services.generator.domain.engine_parameters import ServedModel, SimulatedParameters
from services.generator.domain.ports import (
    Capabilities,
    EngineFailedError,
    EngineLoad,
    EngineRequest,
    Feature,
    Receive,
    Sleep,
    VectorRequest,
)
from services.generator.domain.prompt import Chat, Text
from services.generator.domain.structure import FIELD, Structure
from services.kernel.clock import Clock
from services.kernel.errors import ComptoirError, Numbers, Reason

_FEATURES: Final = Feature.TOKEN_IDS | Feature.PRIORITY | Feature.EMBEDDING | Feature.LOAD
_SIZES: Final = (64, 32, 16)


@dataclass
class _Job:
    request: VectorRequest
    vector: asyncio.Future[bytes]


class SimulatedEmbeddingEngine:
    """One step loop: each step takes as many inputs as run at once, and lasts as long as a first token."""

    def __init__(
        self, model: ServedModel, parameters: SimulatedParameters, clock: Clock, sleep: Sleep = asyncio.sleep
    ) -> None:
        self._context_tokens = model.context_tokens
        self._parameters = parameters
        self._clock = clock
        self._sleep = sleep
        self._waiting: list[tuple[int, int, _Job]] = []
        self._running: list[_Job] = []
        self._arrivals = 0
        self._loop: asyncio.Task[None] | None = None
        self._stepped_seconds = clock.monotonic_seconds()
        self._is_dead = False

    async def start(self) -> None:
        """Takes the time that it is told, and does nothing: there is no model to load."""
        if self._parameters.load_seconds:
            await self._sleep(self._parameters.load_seconds)

    @property
    def capabilities(self) -> Capabilities:
        """Nothing of an input stays, so there are no blocks."""
        return Capabilities(
            self._context_tokens,
            0,
            0,
            _FEATURES,
            VOCABULARY_TOKENS,
            engine_name="simulated",
            vector_sizes=_SIZES,
        )

    async def tokenize(self, prompt: Chat | Text) -> Sequence[int]:
        """Returns the bytes of a text; there is no chat template."""
        if isinstance(prompt, Chat):
            raise ComptoirError(Reason.REQUEST_INVALID, field="messages")
        return tokenize(prompt)

    async def detokenize(self, ids: Sequence[int], *, spells_controls: bool = False) -> str:
        """Returns the text of token ids, in which control tokens have none or their numbers."""
        return detokenize(ids, spells_controls=spells_controls)

    async def check_structure(self, structure: Structure, field: str = FIELD, tenant: int = 0) -> None:
        """Refuses: this engine answers nothing."""
        del structure, field, tenant
        raise ComptoirError(Reason.MODEL_TASK_MISMATCH)

    async def submit(self, request: EngineRequest, receive: Receive) -> None:
        """Refuses: this engine answers nothing."""
        del request, receive
        raise ComptoirError(Reason.MODEL_TASK_MISMATCH)

    async def abort(self, request_id: str) -> None:
        """Does nothing: what makes a vector is cancelled."""

    async def embed(self, request: VectorRequest) -> bytes:
        """Returns a vector that is always the same for the same ids."""
        if self._is_dead:
            raise EngineFailedError
        if len(request.ids) > self._context_tokens:
            numbers = Numbers(self._context_tokens, len(request.ids))
            raise ComptoirError(Reason.CONTEXT_TOO_LONG, field="inputs", numbers=numbers)
        job = _Job(request, asyncio.get_running_loop().create_future())
        self._arrivals += 1
        heapq.heappush(self._waiting, (request.priority or 0, self._arrivals, job))
        if self._loop is None or self._loop.done():
            self._loop = asyncio.create_task(self._run())
        try:
            return await job.vector
        finally:
            self._remove(job)

    def load(self) -> EngineLoad:
        """Returns how busy it is; numbers of an idle engine are as old as the question."""
        now_seconds = self._clock.monotonic_seconds()
        if not self.unfinished_requests():
            self._stepped_seconds = now_seconds
        age_seconds = now_seconds - self._stepped_seconds
        return EngineLoad(len(self._running), len(self._waiting), 0.0, age_seconds, 0, 0)

    def unfinished_requests(self) -> int:
        """Returns how many inputs run or wait."""
        return len(self._running) + len(self._waiting)

    async def check_health(self) -> None:
        """Raises EngineFailedError after `die`."""
        if self._is_dead:
            raise EngineFailedError

    def die(self) -> None:
        """Fails as an engine process that was killed: every request, now and later."""
        self._is_dead = True
        for job in [*self._running, *(job for _, _, job in self._waiting)]:
            if not job.vector.done():
                job.vector.set_exception(EngineFailedError())

    def shutdown(self) -> None:
        """Has nothing to stop: without inputs there is no step loop."""

    def _remove(self, job: _Job) -> None:
        self._running = [other for other in self._running if other is not job]
        self._waiting = [entry for entry in self._waiting if entry[2] is not job]
        heapq.heapify(self._waiting)

    async def _run(self) -> None:
        while self._waiting and not self._is_dead:
            while self._waiting and len(self._running) < self._parameters.max_running_requests:
                self._running.append(heapq.heappop(self._waiting)[2])
            self._stepped_seconds = self._clock.monotonic_seconds()
            await self._sleep(self._parameters.ttft_seconds)
            done, self._running = self._running, []
            for job in done:
                if not job.vector.done():
                    job.vector.set_result(_vector(job.request))


def _vector(request: VectorRequest) -> bytes:
    """Returns numbers between -1 and 1 whose squares add up to 1."""
    digest = hashlib.shake_256(repr(tuple(request.ids)).encode()).digest(_SIZES[0])[: request.size]
    raw = [byte / 127.5 - 1 for byte in digest]
    length = math.hypot(*raw)
    values = array.array("f", (number / length for number in raw))
    if sys.byteorder == "big":
        values.byteswap()
    return values.tobytes()
