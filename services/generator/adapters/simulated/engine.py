"""An engine without a model: vLLM's behaviour in steps, queue, blocks and cache, with times to choose."""

import asyncio
import heapq
import math
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Final

from services.generator.adapters.simulated.cache import PrefixCache
from services.generator.adapters.simulated.text import (
    END_OF_TURN,
    VOCABULARY_TOKENS,
    TextStream,
    answer_ids,
    detokenize,
    digest_steps,
    token_choice,
    token_steps,
)
from services.generator.domain.delta import Delta, EngineFinish, Measures
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
from services.generator.domain.prompt import Chat, Text, TokenIds, field_of
from services.generator.domain.sampling import Sampling
from services.generator.domain.structure import FIELD, Structure, refused
from services.kernel.clock import Clock
from services.kernel.errors import ComptoirError, Numbers, Reason
from services.kernel.steps import Steps, in_turns

_FEATURES: Final = Feature.TOKEN_IDS | Feature.PREFIX_SALT | Feature.PRIORITY


@dataclass
class _Job:
    request: EngineRequest
    receive: Receive
    index: int
    input_tokens: int
    chain: Sequence[int]
    text: TextStream
    answer: Iterator[int]
    blocks: int
    queued_seconds: float
    scheduled_seconds: float = 0.0
    ready_seconds: float = 0.0
    cached_tokens: int = 0
    output_tokens: int = 0


class SimulatedEngine:
    """One step loop: each step admits what fits, then gives every prefilled request one token."""

    def __init__(
        self, model: ServedModel, parameters: SimulatedParameters, clock: Clock, sleep: Sleep = asyncio.sleep
    ) -> None:
        self._context_tokens = model.context_tokens
        self._parameters = parameters
        # Each request asks for them, and a version is read from a file.
        self._capabilities = Capabilities(
            model.context_tokens,
            parameters.kv_block_tokens,
            parameters.kv_blocks,
            _FEATURES,
            VOCABULARY_TOKENS,
            "simulated",
            version("comptoir"),
        )
        self._clock = clock
        self._sleep = sleep
        self._cache = PrefixCache(parameters.kv_blocks, parameters.kv_block_tokens)
        self._waiting: list[tuple[int, int, _Job]] = []
        self._running: list[_Job] = []
        self._arrivals = 0
        self._loop: asyncio.Task[None] | None = None
        self._stepped_seconds = clock.monotonic_seconds()
        self._output_tokens_total = 0
        self._is_dead = False

    async def start(self) -> None:
        """Takes the time that it is told, and does nothing: there is no model to load."""
        if self._parameters.load_seconds:
            await self._sleep(self._parameters.load_seconds)

    @property
    def capabilities(self) -> Capabilities:
        """As the parameters say."""
        return self._capabilities

    async def tokenize(self, prompt: Chat | Text) -> Sequence[int]:
        """Returns the prompt's token ids: bytes between control tokens."""
        return await in_turns(token_steps(prompt))

    async def detokenize(self, ids: Sequence[int], *, spells_controls: bool = False) -> str:
        """Returns the text of token ids, in which control tokens have none or their numbers."""
        return detokenize(ids, spells_controls=spells_controls)

    async def check_structure(self, structure: Structure, field: str = FIELD) -> None:
        """Refuses it: nobody asks an engine that has not the feature."""
        del structure
        raise refused(field=field)

    async def embed(self, request: VectorRequest) -> bytes:
        """Refuses: this engine answers."""
        del request
        raise ComptoirError(Reason.MODEL_TASK_MISMATCH)

    async def submit(self, request: EngineRequest, receive: Receive) -> None:
        """Takes a request in; `receive` is called by the step loop."""
        jobs = await in_turns(self._job_steps(request, receive))
        if self._is_dead:
            raise EngineFailedError
        for job in jobs:
            self._arrivals += 1
            heapq.heappush(self._waiting, (request.priority or 0, self._arrivals, job))
        if self._loop is None or self._loop.done():
            self._loop = asyncio.create_task(self._run())

    async def abort(self, request_id: str) -> None:
        """Ends a request wherever it is; does nothing for an unknown one."""
        for job in self._jobs():
            if job.request.request_id == request_id:
                self._remove(job)
                job.receive(Delta(finish=EngineFinish.ABORT, index=job.index))

    def load(self) -> EngineLoad:
        """Returns how busy it is; numbers of an idle engine are as old as the question."""
        now_seconds = self._clock.monotonic_seconds()
        if not self.unfinished_requests():
            self._stepped_seconds = now_seconds
        used_blocks = sum(job.blocks for job in self._running)
        return EngineLoad(
            running_requests=len(self._running),
            waiting_requests=len(self._waiting),
            kv_usage=used_blocks / self._parameters.kv_blocks,
            age_seconds=now_seconds - self._stepped_seconds,
            output_tokens_total=self._output_tokens_total,
            preempted_requests_total=0,
        )

    def unfinished_requests(self) -> int:
        """Returns how many requests run or wait."""
        return len(self._running) + len(self._waiting)

    async def check_health(self) -> None:
        """Raises EngineFailedError after `die`."""
        if self._is_dead:
            raise EngineFailedError

    def die(self) -> None:
        """Fails as an engine process that was killed: every request, now and later."""
        self._is_dead = True
        for job in self._jobs():
            self._remove(job)
            job.receive(EngineFailedError())

    def shutdown(self) -> None:
        """Has nothing to stop: without requests there is no step loop."""

    def _jobs(self) -> list[_Job]:
        return [*self._running, *(job for _, _, job in self._waiting)]

    def _job_steps(self, request: EngineRequest, receive: Receive) -> Steps[list[_Job]]:
        prompt, parameters, sampling = request.prompt, self._parameters, request.sampling
        input_ids = prompt.ids if isinstance(prompt, TokenIds) else (yield from token_steps(prompt))
        if not input_ids:
            raise ComptoirError(Reason.REQUEST_INVALID, field=field_of(prompt))
        total_tokens = len(input_ids) + request.max_output_tokens
        blocks = math.ceil(total_tokens / parameters.kv_block_tokens)
        if total_tokens > self._context_tokens or blocks > parameters.kv_blocks:
            numbers = Numbers(self._context_tokens, len(input_ids))
            raise ComptoirError(Reason.CONTEXT_TOO_LONG, field=field_of(prompt), numbers=numbers)
        chain = yield from self._cache.chain_steps(input_ids, request.cache_salt or "")
        digest = yield from digest_steps(input_ids)
        queued_seconds = self._clock.monotonic_seconds()
        jobs = []
        for index in range(sampling.n):
            seed = _seed_of(sampling, index)
            answer = answer_ids(input_ids, digest, seed, parameters.answer_tokens, sampling)
            text = TextStream(sampling.stop)
            jobs.append(
                _Job(request, receive, index, len(input_ids), chain, text, answer, blocks, queued_seconds)
            )
        return jobs

    def _remove(self, job: _Job) -> None:
        self._running = [other for other in self._running if other is not job]
        self._waiting = [entry for entry in self._waiting if entry[2] is not job]
        heapq.heapify(self._waiting)

    async def _run(self) -> None:
        while self._running or self._waiting:
            self._admit()
            self._stepped_seconds = self._clock.monotonic_seconds()
            for job in tuple(self._running):
                if job.ready_seconds <= self._stepped_seconds:
                    self._step(job)
            await self._sleep(self._parameters.itl_seconds)

    def _admit(self) -> None:
        parameters = self._parameters
        free_blocks = parameters.kv_blocks - sum(job.blocks for job in self._running)
        now_seconds = self._clock.monotonic_seconds()
        while self._waiting and len(self._running) < parameters.max_running_requests:
            job = self._waiting[0][2]
            if job.blocks > free_blocks:
                return
            heapq.heappop(self._waiting)
            free_blocks -= job.blocks
            job.cached_tokens = self._cache.cached_tokens(job.chain, job.input_tokens)
            self._cache.add(job.chain)
            uncached_share = 1 - job.cached_tokens / job.input_tokens
            job.scheduled_seconds = now_seconds
            job.ready_seconds = now_seconds + parameters.ttft_seconds * uncached_share
            self._running.append(job)

    def _step(self, job: _Job) -> None:
        token_id = next(job.answer)
        job.output_tokens += 1
        self._output_tokens_total += 1
        sampling, is_early = job.request.sampling, job.output_tokens <= job.request.sampling.min_tokens
        is_end = not is_early and (
            token_id in sampling.stop_token_ids or (token_id == END_OF_TURN and not sampling.ignore_eos)
        )
        is_length = job.output_tokens >= job.request.max_output_tokens
        delta = Delta(
            job.text.push(END_OF_TURN if is_end else token_id, is_last=is_end or is_length),
            1,
            index=job.index,
        )
        if job.request.returns_token_ids:
            delta.token_ids = (token_id,)
        if sampling.logprobs is not None:
            delta.tokens = (token_choice(token_id, sampling.logprobs),)
        if is_end or job.text.is_stopped:
            delta.finish = EngineFinish.STOP
        elif is_length:
            delta.finish = EngineFinish.LENGTH
        if delta.finish is not None:
            self._remove(job)
        if job.output_tokens == 1:
            delta.measures = Measures(
                cached_input_tokens=job.cached_tokens,
                queue_seconds=job.scheduled_seconds - job.queued_seconds,
                prefill_seconds=job.ready_seconds - job.scheduled_seconds,
            )
        job.receive(delta)


def _seed_of(sampling: Sampling, index: int) -> int | None:
    """Returns None for a greedy answer, which is always the same; a secret seed where none was given."""
    if sampling.is_greedy:
        return None
    return secrets.randbits(64) if sampling.seed is None else sampling.seed + index
