"""The contract of engines of vectors on a real llama.cpp server."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractContextManager, asynccontextmanager
from pathlib import Path

import pytest
import pytest_asyncio

from services.generator.adapters.engines import engine_from
from services.generator.domain.engine_parameters import ServedModel
from services.generator.domain.foreign_engine import OpenAiServerParameters, PrefixCache, ServerKind
from services.generator.domain.ports import Engine
from services.kernel.catalog import Task
from services.kernel.clock import SystemClock
from services.runtime.settings import SettingsError
from tests.contracts.embedding_engine import (
    CONTEXT_TOKENS,
    RUNNING_REQUESTS,
    EmbeddingEngineContract,
)
from tests.services.generator.adapters.openai_server.llama_server import llama_server

MODEL = Path(__file__).parents[5] / "deploy" / "models" / "tiny-embed-eu"
SERVED = ServedModel(CONTEXT_TOKENS, str(MODEL), Task.EMBED)


@asynccontextmanager
async def started(parameters: OpenAiServerParameters) -> AsyncIterator[Engine]:
    engine = engine_from(SERVED, parameters, SystemClock())
    await engine.start()
    try:
        yield engine
    finally:
        await asyncio.to_thread(engine.shutdown)


def vectors_by_llama(folder: Path, *options: str) -> AbstractContextManager[str]:
    places = ("--parallel", str(RUNNING_REQUESTS), "--ctx-size", str(CONTEXT_TOKENS * RUNNING_REQUESTS))
    return llama_server(folder, "--embedding", "--pooling", "mean", *places, *options, model=MODEL)


@pytest.fixture(scope="session")
def llama_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with vectors_by_llama(tmp_path_factory.mktemp("llama"), "--kv-unified") as found:
        yield found


def of_llama(url: str) -> OpenAiServerParameters:
    return OpenAiServerParameters(
        url=url, kind=ServerKind.LLAMA_CPP, prefix_cache=PrefixCache.OFF, load_interval_seconds=0.05
    )


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def llama_engine(llama_url: str) -> AsyncIterator[Engine]:
    async with started(of_llama(llama_url)) as engine:
        yield engine


@pytest.mark.vllm
@pytest.mark.asyncio(loop_scope="session")
class TestLlamaServer(EmbeddingEngineContract):
    has_priority = False
    # Sums over what is masked are rounded otherwise.
    rounding = 1e-4

    @pytest.fixture
    def engine(self, llama_engine: Engine) -> Engine:
        return llama_engine

    async def test_a_model_that_nobody_cuts_has_whole_vectors_alone(self, engine: Engine) -> None:
        assert tuple(engine.capabilities.vector_sizes) == (128,)


@pytest.mark.vllm
async def test_a_server_that_mixes_inputs_ends_the_start_with_the_option_to_set(tmp_path: Path) -> None:
    with (
        vectors_by_llama(tmp_path, "--no-kv-unified") as url,
        pytest.raises(SettingsError, match="mixes the inputs that it has at once"),
    ):
        async with started(of_llama(url)):
            pass
