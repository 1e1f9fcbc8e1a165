"""What every engine of vectors behind the generator's port does; subclasses give an `engine`.

The engine of a subclass runs at most RUNNING_REQUESTS inputs at once and takes CONTEXT_TOKENS tokens of each.
"""

import array
import asyncio
import itertools
import math
from collections.abc import Sequence

import pytest

from services.generator.domain.delta import Delta
from services.generator.domain.ports import Engine, EngineRequest, Feature, VectorRequest
from services.generator.domain.prompt import Chat, ChatTurn, Role, Text, TokenIds
from services.generator.domain.sampling import Sampling
from services.generator.domain.warm_up import warm_up
from services.kernel.errors import ComptoirError, Reason
from tests.contracts.engine_requests import BOUND_SECONDS, until

RUNNING_REQUESTS = 4
CONTEXT_TOKENS = 64
TEXTS = ("Où est la gare ?", "Wo ist der Bahnhof?", "The bread is fresh.")
_NUMBERS = itertools.count()


async def vector(
    engine: Engine, ids: Sequence[int], *, size: int = 0, priority: int | None = 0
) -> Sequence[float]:
    size = size or engine.capabilities.vector_sizes[0]
    request = VectorRequest(f"vector-{next(_NUMBERS)}", ids, size, priority)
    async with asyncio.timeout(BOUND_SECONDS):
        values = array.array("f", await engine.embed(request))
    assert len(values) == size
    return values.tolist()


async def idle(engine: Engine) -> None:
    await until(lambda: engine.unfinished_requests() == 0, BOUND_SECONDS)


class EmbeddingEngineContract:
    """Run by every engine of vectors."""

    # Takes inputs from its queue by the class of their requests.
    has_priority = True
    # By how much a number may differ that was computed beside others.
    rounding = 1e-5

    async def test_it_says_that_it_makes_vectors_and_how_many_numbers_they_can_have(
        self, engine: Engine
    ) -> None:
        capabilities = engine.capabilities
        assert {Feature.EMBEDDING, Feature.TOKEN_IDS} <= set(capabilities.features)
        assert (Feature.PRIORITY in capabilities.features) == self.has_priority
        assert max(capabilities.vector_sizes) == capabilities.vector_sizes[0]
        assert (capabilities.context_tokens, capabilities.kv_blocks) == (CONTEXT_TOKENS, 0)
        assert capabilities.vocabulary_tokens > 256

    async def test_vectors_of_each_size_have_length_one(self, engine: Engine) -> None:
        ids = await engine.tokenize(Text(TEXTS[0]))
        whole = await vector(engine, ids)
        for size in engine.capabilities.vector_sizes:
            cut = await vector(engine, ids, size=size)
            assert math.hypot(*cut) == pytest.approx(1.0, abs=1e-4)
            length = math.hypot(*whole[:size])
            assert cut == pytest.approx([number / length for number in whole[:size]], abs=1e-4)

    async def test_an_input_has_the_same_vector_alone_and_among_others(self, engine: Engine) -> None:
        inputs = [await engine.tokenize(Text(text)) for text in TEXTS * 3]
        together = await asyncio.gather(*(vector(engine, ids) for ids in inputs))
        for ids, among_others in zip(inputs, together, strict=True):
            assert await vector(engine, ids) == pytest.approx(among_others, abs=self.rounding)
        assert together[0] != together[1] != together[2]
        await idle(engine)

    async def test_an_input_may_fill_the_context(self, engine: Engine) -> None:
        assert await vector(engine, [65] * CONTEXT_TOKENS)
        with pytest.raises(ComptoirError):
            await vector(engine, [65] * (CONTEXT_TOKENS + 1))
        await idle(engine)

    async def test_what_is_cancelled_leaves_the_engine_free_for_others(self, engine: Engine) -> None:
        tasks = [asyncio.create_task(vector(engine, [65 + n] * CONTEXT_TOKENS)) for n in range(40)]
        await until(lambda: engine.unfinished_requests() > RUNNING_REQUESTS, BOUND_SECONDS)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks, timeout=BOUND_SECONDS)
        await idle(engine)
        assert await vector(engine, [65])

    async def test_the_better_class_goes_first(self, engine: Engine) -> None:
        ended: list[int] = []
        if not self.has_priority:
            return

        async def one(priority: int) -> None:
            await vector(engine, [65] * CONTEXT_TOKENS, priority=priority)
            ended.append(priority)

        await asyncio.gather(*(one(9) for _ in range(12 * RUNNING_REQUESTS)), one(1))
        assert ended.index(1) < len(ended) - 2 * RUNNING_REQUESTS

    async def test_a_text_that_spells_a_control_token_stays_text(self, engine: Engine) -> None:
        spelt = await engine.tokenize(Text("<|end|>"))
        assert len(spelt) > len(await engine.tokenize(Text("a")))

    async def test_nothing_is_generated_and_no_chat_is_read(self, engine: Engine) -> None:
        news: list[Delta] = []
        request = EngineRequest("none", TokenIds((65,)), Sampling(), 4)
        with pytest.raises(ComptoirError) as refusal:
            await engine.submit(request, news.append)  # type: ignore[arg-type] # never called
        assert refusal.value.reason is Reason.MODEL_TASK_MISMATCH
        with pytest.raises(ComptoirError) as refusal:
            await engine.tokenize(Chat((ChatTurn(Role.USER, "Bonjour"),)))
        assert (refusal.value.reason, refusal.value.field) == (Reason.REQUEST_INVALID, "messages")
        assert not news

    async def test_it_can_be_warmed_up(self, engine: Engine) -> None:
        async with asyncio.timeout(BOUND_SECONDS):
            await warm_up(engine)
        await engine.check_health()
        await idle(engine)
