"""An engine without a model: vLLM's behaviour in steps, queue, blocks and cache, with times to choose."""

import asyncio
import math
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Final

from services.generator.adapters.simulated.scheduler import Job, Limits, Scheduler, chain_steps
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

_FEATURES: Final = ~(Feature.STRUCTURE | Feature.EMBEDDING)


@dataclass(eq=False, kw_only=True)
class _Answer(Job):
    request: EngineRequest
    receive: Receive
    index: int
    input_tokens: int
    text: TextStream
    answer: Iterator[int]
    queued_seconds: float
    scheduled_seconds: float | None = None
    # When its first token is due.
    due_seconds: float = 0.0
    prefill_seconds: float = 0.0
    output_tokens: int = 0
    is_over: bool = False


class SimulatedEngine:
    """One step loop: each step computes what the scheduler chose, then tokens come of what is computed."""

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
        limits = Limits(
            parameters.kv_blocks,
            parameters.kv_block_tokens,
            parameters.max_running_requests,
            parameters.max_batched_tokens,
        )
        self._scheduler = Scheduler[_Answer](limits)
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

    async def check_structure(self, structure: Structure, field: str = FIELD, tenant: int = 0) -> None:
        """Refuses it: nobody asks an engine that has not the feature."""
        del structure, tenant
        raise refused(field=field)

    async def embed(self, request: VectorRequest) -> bytes:
        """Refuses: this engine answers."""
        del request
        raise ComptoirError(Reason.MODEL_TASK_MISMATCH)

    async def submit(self, request: EngineRequest, receive: Receive) -> None:
        """Takes a request in; `receive` is called by the step loop."""
        answers = await in_turns(self._answer_steps(request, receive))
        if self._is_dead:
            raise EngineFailedError
        for answer in answers:
            self._arrivals += 1
            answer.arrival = self._arrivals
            self._scheduler.add(answer)
        if self._loop is None or self._loop.done():
            self._loop = asyncio.create_task(self._run())

    async def abort(self, request_id: str) -> None:
        """Ends a request wherever it is; does nothing for an unknown one."""
        for answer in self._answers():
            if answer.request.request_id == request_id:
                self._remove(answer)
                answer.receive(Delta(finish=EngineFinish.ABORT, index=answer.index))

    def load(self) -> EngineLoad:
        """Returns how busy it is; numbers of an idle engine are as old as the question."""
        now_seconds = self._clock.monotonic_seconds()
        if not self.unfinished_requests():
            self._stepped_seconds = now_seconds
        return EngineLoad(
            running_requests=len(self._scheduler.running),
            waiting_requests=len(self._scheduler) - len(self._scheduler.running),
            kv_usage=self._scheduler.kv_usage,
            age_seconds=now_seconds - self._stepped_seconds,
            output_tokens_total=self._output_tokens_total,
            preempted_requests_total=self._scheduler.preempted_total,
        )

    def unfinished_requests(self) -> int:
        """Returns how many requests run or wait."""
        return len(self._scheduler)

    async def check_health(self) -> None:
        """Raises EngineFailedError after `die`."""
        if self._is_dead:
            raise EngineFailedError

    def die(self) -> None:
        """Fails as an engine process that was killed: every request, now and later."""
        self._is_dead = True
        for answer in self._answers():
            self._remove(answer)
            answer.receive(EngineFailedError())

    def shutdown(self) -> None:
        """Has nothing to stop: without requests there is no step loop."""

    def _answers(self) -> list[_Answer]:
        return [*self._scheduler.running, *self._scheduler.waiting]

    def _answer_steps(self, request: EngineRequest, receive: Receive) -> Steps[list[_Answer]]:
        prompt, parameters, sampling = request.prompt, self._parameters, request.sampling
        input_ids = prompt.ids if isinstance(prompt, TokenIds) else (yield from token_steps(prompt))
        if not input_ids:
            raise ComptoirError(Reason.REQUEST_INVALID, field=field_of(prompt))
        total_tokens = len(input_ids) + request.max_output_tokens
        blocks = math.ceil(total_tokens / parameters.kv_block_tokens)
        if total_tokens > self._context_tokens or blocks > parameters.kv_blocks:
            numbers = Numbers(self._context_tokens, len(input_ids))
            raise ComptoirError(Reason.CONTEXT_TOO_LONG, field=field_of(prompt), numbers=numbers)
        root = hash(request.cache_salt or "")
        chain = yield from chain_steps(root, input_ids, parameters.kv_block_tokens)
        digest = yield from digest_steps(input_ids)
        queued_seconds = self._clock.monotonic_seconds()
        return [
            _Answer(
                priority=request.priority or 0,
                tokens=len(input_ids),
                root=root,
                # One for each choice: each goes on by itself.
                chain=list(chain),
                tail=list(input_ids[len(chain) * parameters.kv_block_tokens :]),
                request=request,
                receive=receive,
                index=index,
                input_tokens=len(input_ids),
                text=TextStream(sampling.stop),
                answer=answer_ids(
                    input_ids, digest, _seed_of(sampling, index), parameters.answer_tokens, sampling
                ),
                queued_seconds=queued_seconds,
            )
            for index in range(sampling.n)
        ]

    def _remove(self, answer: _Answer) -> None:
        answer.is_over = True
        self._scheduler.remove(answer)

    async def _run(self) -> None:
        while len(self._scheduler):
            step = self._scheduler.schedule()
            self._note_admitted(step)
            await self._sleep(self._step_seconds(step))
            self._stepped_seconds = self._clock.monotonic_seconds()
            held = [answer for answer in self._scheduler.running if answer.is_held]
            for answer in (*step, *held):
                if answer.is_over or answer.computed_tokens < answer.tokens:
                    continue
                answer.is_held = not answer.output_tokens and self._stepped_seconds < answer.due_seconds
                if not answer.is_held:
                    self._emit(answer)

    def _note_admitted(self, step: Mapping[_Answer, int]) -> None:
        now_seconds = self._clock.monotonic_seconds()
        for answer in step:
            if answer.scheduled_seconds is None:
                uncached_share = 1 - answer.cached_tokens / answer.input_tokens
                answer.scheduled_seconds = now_seconds
                answer.due_seconds = now_seconds + self._parameters.ttft_seconds * uncached_share

    def _step_seconds(self, step: Mapping[_Answer, int]) -> float:
        """Returns the time of a step: what every one takes, and what its tokens and requests add."""
        parameters = self._parameters
        prefilled_tokens = sum(
            tokens for answer, tokens in step.items() if tokens > 1 or not answer.output_tokens
        )
        return (
            parameters.itl_seconds
            + parameters.prefill_token_seconds * prefilled_tokens
            + parameters.running_request_seconds * len(step)
        )

    def _emit(self, answer: _Answer) -> None:
        token_id = next(answer.answer)
        answer.output_tokens += 1
        self._output_tokens_total += 1
        sampling = answer.request.sampling
        is_early = answer.output_tokens <= sampling.min_tokens
        is_end = not is_early and (
            token_id in sampling.stop_token_ids or (token_id == END_OF_TURN and not sampling.ignore_eos)
        )
        is_length = answer.output_tokens >= answer.request.max_output_tokens
        delta = Delta(
            answer.text.push(END_OF_TURN if is_end else token_id, is_last=is_end or is_length),
            1,
            index=answer.index,
        )
        if answer.request.returns_token_ids:
            delta.token_ids = (token_id,)
        if sampling.logprobs is not None:
            delta.tokens = (token_choice(token_id, sampling.logprobs),)
        if is_end or answer.text.is_stopped:
            delta.finish = EngineFinish.STOP
        elif is_length:
            delta.finish = EngineFinish.LENGTH
        if delta.finish is None:
            answer.append(token_id, self._parameters.kv_block_tokens)
        else:
            self._remove(answer)
        if answer.output_tokens == 1:
            delta.measures = self._measures(answer)
        answer.receive(delta)

    def _measures(self, answer: _Answer) -> Measures:
        scheduled_seconds = answer.scheduled_seconds or answer.queued_seconds
        return Measures(
            cached_input_tokens=answer.cached_tokens,
            queue_seconds=scheduled_seconds - answer.queued_seconds,
            prefill_seconds=self._stepped_seconds - scheduled_seconds,
        )


def _seed_of(sampling: Sampling, index: int) -> int | None:
    """Returns None for a greedy answer, which is always the same; a secret seed where none was given."""
    if sampling.is_greedy:
        return None
    return secrets.randbits(64) if sampling.seed is None else sampling.seed + index
