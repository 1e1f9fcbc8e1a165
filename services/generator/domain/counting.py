"""Counts prompts for callers whose tickets permit it; nothing is generated, recorded or kept."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from services.generator.domain.called_tools import checked_steps
from services.generator.domain.ports import Engine, EngineFailedError, Feature
from services.generator.domain.prompt import Chat, Text, field_of, text_bytes
from services.generator.domain.sampling import TokenLimits, check_size
from services.generator.domain.template import TemplateRules
from services.generator.domain.ticket import Claims, TicketGate
from services.generator.domain.tools import ToolFormat
from services.kernel.clock import Clock
from services.kernel.errors import ComptoirError, Numbers, Reason
from services.kernel.steps import in_turns

MAX_OPEN: Final = 64
# Nobody keeps the others out.
MAX_OPEN_OF_KEY: Final = 8
# A long prompt is counted in a thread that tokenizes prompts to be answered too: no more stand before one.
TURNS: Final = 2


@dataclass(frozen=True, slots=True)
class CountOrder:
    """What a caller wants counted, and the ticket that permits it."""

    claims: Claims
    prompt: Chat | Text
    returns_ids: bool = False


class TokenCounts:
    """Counts for `MAX_OPEN` callers at most, few of one key, `TURNS` at once; a ticket permits one count."""

    def __init__(
        self,
        engine: Engine,
        gate: TicketGate,
        clock: Clock,
        *,
        max_bytes_per_token: int,
        template: TemplateRules | None = None,
        tool_format: ToolFormat | None = None,
    ) -> None:
        self._engine = engine
        self._gate = gate
        self._clock = clock
        self._max_bytes_per_token = max_bytes_per_token
        self._template = template or TemplateRules()
        self._tool_format = tool_format
        self._open = 0
        self._open_of_key: Counter[int] = Counter()
        self._turns = asyncio.Semaphore(TURNS)

    @property
    def context_tokens(self) -> int:
        """The most tokens of prompt and answer together."""
        return self._engine.capabilities.context_tokens

    def check(self, claims: Claims) -> None:
        """Raises why this replica may not count on a ticket now; uses nothing up."""
        self._gate.check_count(claims, self._clock.wall_microseconds())

    async def count(self, order: CountOrder) -> Sequence[int]:
        """Uses the ticket up and returns the prompt's token ids; raises ComptoirError."""
        now_microseconds = self._clock.wall_microseconds()
        self._gate.check_count(order.claims, now_microseconds)
        self._gate.use(order.claims, now_microseconds)
        if Feature.TOKEN_IDS not in self._engine.capabilities.features:
            raise ComptoirError(Reason.COUNT_UNSUPPORTED)
        key = order.claims.key
        if self._open >= MAX_OPEN or self._open_of_key[key] >= MAX_OPEN_OF_KEY:
            raise ComptoirError(Reason.REPLICA_OVERLOADED)
        self._open += 1
        self._open_of_key[key] += 1
        try:
            return await self._counted(order)
        finally:
            self._open -= 1
            self._open_of_key[key] -= 1
            # Zeros of keys that were would add up.
            if not self._open_of_key[key]:
                del self._open_of_key[key]

    async def _counted(self, order: CountOrder) -> Sequence[int]:
        prompt = order.prompt
        if isinstance(prompt, Chat):
            if Feature.EMBEDDING in self._engine.capabilities.features:
                raise ComptoirError(Reason.MODEL_TASK_MISMATCH)
            prompt = prompt.told(self._template.told(prompt.options).arguments)
        permitted, field = order.claims.max_input_tokens, field_of(prompt)
        limits = TokenLimits(permitted, 0, 1, self.context_tokens, field)
        check_size(text_bytes(order.prompt), self._max_bytes_per_token, limits)
        if isinstance(prompt, Chat) and prompt.tools is not None:
            # An answer would be refused for them too.
            await in_turns(checked_steps(prompt.tools, self._tool_format))
        try:
            ids = await self._tokenize(prompt)
        except EngineFailedError:
            raise ComptoirError(Reason.ENGINE_FAILED) from None
        if order.returns_ids and len(ids) > self.context_tokens:
            # No request can use them, and a list of them all would keep other callers waiting.
            too_many = Numbers(limit=self.context_tokens, requested=len(ids))
            raise ComptoirError(Reason.CONTEXT_TOO_LONG, field=field, numbers=too_many)
        if len(ids) > permitted:
            numbers = Numbers(limit=permitted, requested=len(ids))
            raise ComptoirError(Reason.TICKET_LIMIT_EXCEEDED, field=field, numbers=numbers)
        return ids

    async def _tokenize(self, prompt: Chat | Text) -> Sequence[int]:
        """Tokenizes in turn; a caller that leaves leaves its turn to the engine's thread, which goes on."""
        await self._turns.acquire()
        tokenizing = asyncio.ensure_future(self._engine.tokenize(prompt))
        tokenizing.add_done_callback(self._end_turn)
        return await asyncio.shield(tokenizing)

    def _end_turn(self, tokenizing: asyncio.Future[Sequence[int]]) -> None:
        self._turns.release()
        if not tokenizing.cancelled():
            # Whoever would have been told of a failure may have left.
            tokenizing.exception()
