"""What the schema admits, at its edges and in every mixture, some given up midway: no engine dies of it.

Seeded, so that a failure comes again.
"""

import asyncio
import random
import struct
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from enum import Enum
from typing import Final

from services.generator.domain.delta import EngineFinish
from services.generator.domain.ports import Engine, EngineRequest, Feature, RequestFailedError
from services.generator.domain.prompt import Chat, ChatTurn, Role, TokenIds
from services.generator.domain.sampling import Sampling
from services.generator.domain.structure import Structure
from services.generator.domain.tools import HERMES, Tool, Tools, grammar
from services.kernel.identity import Identity
from tests.contracts.engine_requests import deltas

ATTEMPTS: Final = 360
CONCURRENT: Final = 24
BOUND_SECONDS: Final = 240.0
_SEED: Final = 20261125
_MOST_OUTPUT_TOKENS: Final = 40
_LONGEST_WAIT_STEPS: Final = 60
_TEXT: Final = "Où est l'hôtel ? Žluťoučký kůň, 🚆 <|end|> Straße; καλημέρα. "


def _as_sent(value: float) -> float:
    """The value as the schema's `float` carries it."""
    return float(struct.unpack("f", struct.pack("f", value))[0])


# What the schema admits of each parameter: its ends, its smallest steps, and something ordinary.
_TINY: Final = 1e-45
_VALUES: Final[dict[str, Sequence[object]]] = {
    # The engine is told `EngineRequest.max_output_tokens` instead.
    "max_output_tokens": (0,),
    "temperature": (0.0, *map(_as_sent, (_TINY, 1e-6, 0.01, 0.7)), 1.0, 2.0),
    "top_p": (*map(_as_sent, (_TINY, 1e-6, 0.1, 0.9999999)), 1.0),
    "presence_penalty": (-2.0, 0.0, _as_sent(_TINY), 2.0),
    "frequency_penalty": (-2.0, 0.0, -_as_sent(_TINY), 2.0),
    "seed": (None, 0, 1, 42, -1, -(2**63), 2**63 - 1),
    "min_p": (0.0, _as_sent(_TINY), _as_sent(0.1), 1.0),
    "top_k": (-1, 0, 1, 2, 20, 2**31 - 1),
    "repetition_penalty": (1.0, *map(_as_sent, (_TINY, 0.5, 1.1)), 2.0),
    "logit_bias": ({}, {}, {5: -100.0, 6: 100.0}, {7: _as_sent(0.1)}, {0: 0.0}),
    "min_tokens": (0, 0, 1, 7),
    "ignore_eos": (False, False, True),
    "n": (1, 1, 1, 2, 3),
    "logprobs": (None, None, None, 0, 1, 20),
    "thinking_token_budget": (None, None, 0, 1, 20),
    "stop_token_ids": ((), (), (5,), tuple(range(64))),
    "stop": ((), (), ("e",), (" ", "\n", "é", "🚆"), ("\ufffd",), ("x" * 256,), ("\0", "<|end|>")),
}


_STRUCTURES: Final = (
    None,
    None,
    Structure('{"type": "object"}'),
    Structure('{"type": "array", "items": {"enum": ["a", 1, null]}, "maxItems": 3}'),
    Structure('{"const": 5}'),
    Structure(grammar=grammar(Tools((Tool("weather"), Tool("clock", "", '{"type": "array"}'))), HERMES)),
)


class Ending(Enum):
    """How an attempt ends."""

    BY_ITSELF = "by itself"
    CALLER_LEAVES = "caller leaves"
    ABORT = "abort"


@dataclass(frozen=True)
class Attempt:
    """One request, and after how many steps of all requests together it is given up."""

    request: EngineRequest
    ending: Ending
    after_steps: int


async def attempts(engine: Engine, lacks: frozenset[str] = frozenset()) -> list[Attempt]:
    """All attempts of one run; the same for the same engine, which is asked for nothing that it `lacks`."""
    assert set(_VALUES) == {field.name for field in fields(Sampling)}, "each parameter has its values here"
    context_tokens = engine.capabilities.context_tokens
    text = list(await engine.tokenize(Chat((ChatTurn(Role.USER, _TEXT * context_tokens),))))[:context_tokens]
    choose = random.Random(_SEED)
    has_structures = Feature.STRUCTURE in engine.capabilities.features
    structures = _STRUCTURES if has_structures else (None,)
    tried = [_attempt(choose, text, context_tokens, structures) for _ in range(ATTEMPTS)]
    return [replace(one, request=_told(one.request, engine.capabilities.features, lacks)) for one in tried]


def _told(request: EngineRequest, features: Feature, lacks: frozenset[str]) -> EngineRequest:
    """The request as a generation asks an engine with these features."""
    left_out = {name: getattr(Sampling(), name) for name in lacks}
    if Feature.LOGPROBS not in features:
        left_out["logprobs"] = None
    if Feature.THINKING_BUDGET not in features:
        left_out["thinking_token_budget"] = None
    return replace(
        request,
        sampling=replace(request.sampling, **left_out),
        priority=request.priority if Feature.PRIORITY in features else None,
        cache_salt=request.cache_salt if Feature.PREFIX_SALT in features else None,
    )


def _attempt(
    choose: random.Random, text: list[int], context_tokens: int, structures: Sequence[Structure | None]
) -> Attempt:
    block = 128
    longest = context_tokens - 1
    lengths = (1, 2, block - 1, block, block + 1, longest // 2, longest - 1, longest, longest)
    input_tokens = choose.choice((*lengths, choose.randint(1, longest)))
    input_ids = text[:input_tokens] if choose.random() < 0.5 else choose.sample(text, input_tokens)
    left_tokens = context_tokens - input_tokens
    most_tokens = min(left_tokens, choose.choice((1, 2, _MOST_OUTPUT_TOKENS)))
    values = {name: choose.choice(values) for name, values in _VALUES.items()}
    # More than an answer can have is refused before an engine is asked.
    values["min_tokens"] = min(values["min_tokens"], most_tokens)  # type: ignore[call-overload]
    request = EngineRequest(
        request_id=Identity.random().hex,
        prompt=TokenIds(input_ids),
        sampling=Sampling(**values),  # type: ignore[arg-type]
        max_output_tokens=most_tokens,
        priority=choose.choice((0, 0, 10, 20)),
        cache_salt=choose.choice(("a", "b")),
        structure=choose.choice(structures),
    )
    return Attempt(request, choose.choice(tuple(Ending)), choose.randrange(_LONGEST_WAIT_STEPS))


class Attempts:
    """Makes attempts, many at once."""

    def __init__(self, engine: Engine, bound_seconds: float = BOUND_SECONDS, *, most_failed: int = 0) -> None:
        """At most `most_failed` may fail alone, as an engine may that does not take what it made itself."""
        self._engine, self._bound_seconds = engine, bound_seconds
        self._left_to_fail = most_failed
        self._steps = 0
        self._stepped = asyncio.Condition()

    async def make(self, tried: Sequence[Attempt]) -> None:
        """Returns when each has ended; raises what the engine raised, and for an answer of a wrong length."""
        places = asyncio.Semaphore(CONCURRENT)
        async with asyncio.timeout(self._bound_seconds), asyncio.TaskGroup() as group:
            for attempt in tried:
                group.create_task(self._make_one(attempt, places))

    async def _make_one(self, attempt: Attempt, places: asyncio.Semaphore) -> None:
        async with places:
            answer = asyncio.create_task(self._read(attempt))
            giving_up = asyncio.create_task(self._give_up(attempt, answer))
            try:
                await asyncio.wait({answer})
                failure = None if answer.cancelled() else answer.exception()
                if isinstance(failure, RequestFailedError) and self._left_to_fail:
                    self._left_to_fail -= 1
                elif failure is not None:
                    raise failure
            finally:
                giving_up.cancel()
                # As a generation does for every request that was not read to its end.
                await self._engine.abort(attempt.request.request_id)

    async def _read(self, attempt: Attempt) -> None:
        output_tokens, finish = 0, None
        async for step in deltas(self._engine, attempt.request):
            output_tokens += step.output_tokens
            finish = step.finish
            async with self._stepped:
                self._steps += 1
                self._stepped.notify_all()
        assert output_tokens <= attempt.request.max_output_tokens * attempt.request.sampling.n
        if attempt.ending is not Ending.ABORT:
            assert finish in (EngineFinish.STOP, EngineFinish.LENGTH)

    async def _give_up(self, attempt: Attempt, answer: asyncio.Task[None]) -> None:
        if attempt.ending is Ending.BY_ITSELF:
            return
        last = self._steps + attempt.after_steps
        async with self._stepped:
            await self._stepped.wait_for(lambda: self._steps >= last)
        if attempt.ending is Ending.ABORT:
            await self._engine.abort(attempt.request.request_id)
        else:
            answer.cancel()
