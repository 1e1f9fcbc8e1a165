import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from services.generator.adapters.engines import engine_from
from services.generator.domain.engine_parameters import ServedModel, VllmParameters
from services.generator.domain.ports import Engine
from services.generator.domain.prompt import Text
from services.kernel.catalog import Task
from services.kernel.clock import SystemClock
from tests.contracts.embedding_engine import (
    CONTEXT_TOKENS,
    RUNNING_REQUESTS,
    EmbeddingEngineContract,
    vector,
)

MODELS = Path(__file__).parents[5] / "deploy" / "models"


def engine_with(folder: Path) -> Engine:
    parameters = VllmParameters(
        dtype="float32", kv_cache_memory_bytes=4 * 1024 * 1024, max_running_requests=RUNNING_REQUESTS
    )
    return engine_from(ServedModel(CONTEXT_TOKENS, str(folder), Task.EMBED), parameters, SystemClock())


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def vllm_embedding_engine() -> AsyncIterator[Engine]:
    engine = engine_with(MODELS / "tiny-embed-eu")
    await engine.start()
    yield engine
    await asyncio.to_thread(engine.shutdown)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.vllm
@pytest.mark.asyncio(loop_scope="session")
class TestVllmEmbeddingEngine(EmbeddingEngineContract):
    @pytest.fixture
    def engine(self, vllm_embedding_engine: Engine) -> Engine:
        return vllm_embedding_engine

    async def test_vectors_can_be_cut_to_what_the_model_was_trained_for(self, engine: Engine) -> None:
        assert tuple(engine.capabilities.vector_sizes) == (128, 32, 64)

    async def test_a_question_is_nearer_to_its_answer_than_to_another(self, engine: Engine) -> None:
        """Weak, on purpose: the model is tiny, and this says only that its vectors mean something."""
        texts = (
            "When does the next train leave?",
            "The train leaves at nine.",
            "The bread comes out of the oven.",
        )
        asked, near, far = [await vector(engine, await engine.tokenize(Text(text))) for text in texts]
        assert _likeness(asked, near) > _likeness(asked, far)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.vllm
@pytest.mark.asyncio(loop_scope="session")
async def test_the_weights_of_a_model_that_answers_make_vectors_in_an_engine_of_their_own() -> None:
    engine = engine_with(MODELS / "tiny-eu")
    await engine.start()
    try:
        assert tuple(engine.capabilities.vector_sizes) == (128,)
        one, other = [
            await vector(engine, await engine.tokenize(Text(text))) for text in ("Où est la gare ?", "Brot")
        ]
        assert _likeness(one, one) == pytest.approx(1)
        assert _likeness(one, other) < 1
    finally:
        await asyncio.to_thread(engine.shutdown)


def _likeness(one: object, other: object) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))  # type: ignore[call-overload] # of floats
