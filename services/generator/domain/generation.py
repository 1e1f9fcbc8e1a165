"""The life of one generation: from an accepted ticket to exactly one terminal event."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from services.generator.domain import endings
from services.generator.domain.accepted import AcceptedRequest, SharedParts
from services.generator.domain.answering import answer
from services.generator.domain.cache_salt import cache_salt
from services.generator.domain.called_tools import CalledTools
from services.generator.domain.delta import Delta, EngineFinish, Measures
from services.generator.domain.echo import Echo
from services.generator.domain.features import check_features
from services.generator.domain.graphemes import Graphemes
from services.generator.domain.ports import Capabilities, EngineRequest, Feature
from services.generator.domain.prompt import (
    Chat,
    Prompt,
    Text,
    TokenIds,
    check_ids,
    field_of,
    text_bytes,
    texts_of,
)
from services.generator.domain.sampling import (
    Sampling,
    TokenLimits,
    check_choices,
    check_ending,
    check_min_tokens,
    check_size,
    output_tokens_for,
)
from services.generator.domain.structure import Structure, refused
from services.generator.domain.terminal_event import Counts, Ending, Outcome
from services.generator.domain.thinking import Thinking
from services.generator.domain.ticket import Claims
from services.generator.domain.timeline import Timings
from services.generator.domain.tools import Tools
from services.kernel.errors import ComptoirError, Reason
from services.kernel.identity import Identity
from services.kernel.steps import in_turns

# An engine has a process of its own and goes on while this one stands still, for which callers leave it.
# Who left is known once what they said meanwhile is read.
_LATE_SECONDS: Final = 1.0
_READ_SECONDS: Final = 0.5


@dataclass(frozen=True, slots=True)
class Order:
    """What a caller asks for, the ticket that permits it, and when it came."""

    claims: Claims
    prompt: Prompt
    sampling: Sampling
    is_streamed: bool
    received_seconds: float
    received_at_microseconds: int
    deadline_seconds: float | None
    structure: Structure | None = None
    # Whether each choice begins with the text of the prompt.
    is_prompt_echoed: bool = False
    returns_token_ids: bool = False
    # Whether the caller is told nothing before the end.
    is_whole: bool = False

    @property
    def is_text_alone(self) -> bool:
        """Whether the answer is the text of one choice and nothing else."""
        is_more = self.returns_token_ids or self.sampling.logprobs is not None or self.tools is not None
        return self.sampling.n == 1 and not is_more

    @property
    def tools(self) -> Tools | None:
        """The tools that the chat tells of."""
        return self.prompt.tools if isinstance(self.prompt, Chat) else None


@dataclass(frozen=True, slots=True)
class Started:
    """The prompt was counted and fits."""

    request_id: Identity
    input_tokens: int


@dataclass(frozen=True, slots=True)
class Finished:
    """The answer is whole, and its event durable; why each choice ended is by its index."""

    outcomes: tuple[Outcome, ...]
    counts: Counts
    timings: Timings


Message = Started | Delta | Finished
# Takes a message in at once. It is called in the engine's turn, where every other request waits for it.
Put = Callable[[Message], None]


class Generation(AcceptedRequest[Order]):
    """One generation. `serve` it once; `interrupt` it from outside, in whatever phase it is."""

    def __init__(self, order: Order, parts: SharedParts) -> None:
        super().__init__(order, parts)
        self._unsent_tokens = 0
        self._tokens_of_choice: dict[int, int] = {}
        self._echo = Echo()
        self._graphemes = Graphemes()
        self._thinking = Thinking(parts.reasoning_format, order.prompt)
        self._tools = CalledTools(order.tools, parts.tool_format)

    @property
    def _has_caller_some(self) -> bool:
        return self._is_delta_sent and not self._order.is_whole

    @property
    def _reasoning_tokens(self) -> int:
        return self._thinking.tokens

    @property
    def _longest_choice_tokens(self) -> int:
        return max(self._tokens_of_choice.values(), default=0)

    async def serve(self, put: Put) -> None:
        """Puts Started, deltas and Finished; raises ComptoirError, or CancelledError if the caller went.

        Whatever happens, one terminal event is recorded, and none twice.
        """
        outcomes = await self._worked(self._generate(put))
        counts, timings, recorded = self._conclude(Ending(endings.outcome_of_all(outcomes)))
        await asyncio.shield(recorded)
        put(Finished(outcomes, counts, timings))

    async def _generate(self, put: Put) -> tuple[Outcome, ...]:
        self._check_not_interrupted()
        request = await self._prepare()
        put(Started(self._order.claims.request_id, self._input_tokens))
        finishes = None
        try:
            finishes = await answer(self._parts.engine, request, partial(self._take, put))
        finally:
            if finishes is None:
                self._parts.recorder.finish(self._parts.engine.abort(request.request_id))
        if self._timeline.late_seconds >= _LATE_SECONDS:
            await self._parts.sleep(_READ_SECONDS)
        return tuple(self._outcome_of(index, finish) for index, finish in enumerate(finishes))

    def _outcome_of(self, index: int, finish: EngineFinish) -> Outcome:
        outcome = endings.outcome_of(finish)
        is_call = outcome is Outcome.STOP and self._tools.ends_with_calls(index)
        return Outcome.TOOL_CALLS if is_call else outcome

    def _take(self, put: Put, delta: Delta) -> None:
        is_first = not self._output_tokens
        if delta.output_tokens:
            self._timeline.output(self._parts.clock.monotonic_seconds())
            self._output_tokens += delta.output_tokens
            tokens = self._tokens_of_choice.get(delta.index, 0)
            self._tokens_of_choice[delta.index] = tokens + delta.output_tokens
            self._unsent_tokens += delta.output_tokens
        if delta.measures is not None:
            self._measure(delta.measures)
        if is_first and self._output_tokens:
            self._begun(self._parts.clock.monotonic_seconds())
        self._echo.begin(delta)
        self._graphemes.hold(delta)
        for part in self._thinking.split(delta):
            for shown in (part,) if part.reasoning else self._tools.shown(part):
                shown.output_tokens, self._unsent_tokens = self._unsent_tokens, 0
                self._is_delta_sent = True
                put(shown)

    def _begun(self, now_seconds: float) -> None:
        self._parts.input_work.begun(self, self._input_tokens - self._cached_input_tokens, now_seconds)
        waited_seconds = now_seconds - self._order.received_seconds
        self._parts.first_tokens.note(self._order.claims.priority, waited_seconds, now_seconds)

    def _measure(self, measures: Measures) -> None:
        self._timeline.engine_waits(
            queue_seconds=measures.queue_seconds, prefill_seconds=measures.prefill_seconds
        )
        self._input_tokens = max(self._input_tokens, measures.input_tokens)
        self._cached_input_tokens = max(self._cached_input_tokens, measures.cached_input_tokens)

    async def _prepare(self) -> EngineRequest:
        order, engine = self._order, self._parts.engine
        claims, sampling, capabilities = order.claims, order.sampling, engine.capabilities
        if Feature.EMBEDDING in capabilities.features:
            raise ComptoirError(Reason.MODEL_TASK_MISMATCH)
        prompt = self._thinking.told(order.prompt, order.sampling, self._parts.template)
        check_features(
            sampling,
            capabilities.features,
            returns_token_ids=order.returns_token_ids,
            is_thinking_bounded=self._thinking.is_bounded,
        )
        limits = TokenLimits(
            claims.max_input_tokens,
            claims.max_output_tokens,
            claims.choices,
            capabilities.context_tokens,
            field_of(order.prompt),
        )
        check_choices(sampling, limits)
        check_size(text_bytes(order.prompt), self._parts.max_bytes_per_token, limits)
        if isinstance(order.prompt, TokenIds):
            # By their number, before anyone goes through them.
            output_tokens_for(sampling.max_output_tokens, len(order.prompt.ids), limits)
        structure = await in_turns(self._tools.structure_steps(order.structure))
        check_ending(sampling, is_structured=structure is not None)
        await self._check_schemas(structure, capabilities.features)
        prompt = await self._ids(prompt, capabilities)
        max_output_tokens = output_tokens_for(sampling.max_output_tokens, self._input_tokens, limits)
        self._parts.input_work.wait(self, self._input_tokens, self._parts.clock.monotonic_seconds())
        check_min_tokens(sampling, max_output_tokens)
        if order.is_streamed:
            self._graphemes.expect(texts_of(order.prompt))
        # Only of a prompt that fits: who leaves meanwhile is counted, and no more tokens than a model holds.
        if isinstance(prompt, TokenIds):
            await self._thinking.begin(prompt.ids, engine)
        structure = await self._checked_structure(structure)
        await self._begin_echo(prompt)
        return EngineRequest(
            request_id=claims.ticket_id.hex,
            prompt=prompt,
            sampling=replace(sampling, thinking_token_budget=self._thinking.budget),
            max_output_tokens=max_output_tokens,
            priority=self._priority() if Feature.PRIORITY in capabilities.features else None,
            cache_salt=self._salt() if Feature.PREFIX_SALT in capabilities.features else None,
            structure=structure,
            returns_token_ids=order.returns_token_ids,
        )

    async def _check_schemas(self, structure: Structure | None, features: Feature) -> None:
        if structure is not None and Feature.STRUCTURE not in features:
            raise refused(field=self._order.structure.field if self._order.structure else "tools")
        for schema, name in self._tools.schemas():
            await self._parts.engine.check_structure(Structure(schema), name, self._order.claims.tenant)

    async def _checked_structure(self, structure: Structure | None) -> Structure | None:
        if structure is not None:
            asked = self._order.structure
            field_name = asked.field if asked and not (asked.json_schema and structure.grammar) else "tools"
            structure = self._thinking.structure(structure)
            await self._parts.engine.check_structure(structure, field_name, self._order.claims.tenant)
        return structure

    async def _ids(self, prompt: Prompt, capabilities: Capabilities) -> Prompt:
        engine = self._parts.engine
        if isinstance(prompt, TokenIds):
            ids = prompt
        elif Feature.TOKEN_IDS in capabilities.features:
            ids = TokenIds(await engine.tokenize(prompt))
        else:
            return prompt
        # The engine's own are in its vocabulary; a caller's are looked through.
        check_ids(ids, capabilities.vocabulary_tokens if ids is prompt else 0)
        self._input_tokens = len(ids.ids)
        return ids

    async def _begin_echo(self, prompt: Prompt) -> None:
        if self._order.is_prompt_echoed and isinstance(prompt, TokenIds):
            said = self._order.prompt
            text = said.text if isinstance(said, Text) else await self._parts.engine.detokenize(prompt.ids)
            self._echo = Echo(text)

    def _priority(self) -> int:
        return self._parts.queue.number(self._order.claims.priority, self._order.received_seconds)

    def _salt(self) -> str:
        return cache_salt(self._parts.cache_salt_secret, self._order.claims.tenant)
