"""The contract of engines on a real vLLM server, over HTTP."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from structlog.testing import capture_logs

from services.generator.adapters.engines import engine_from
from services.generator.adapters.openai_server.kinds import KINDS
from services.generator.domain.engine_parameters import ServedModel
from services.generator.domain.foreign_engine import OpenAiServerParameters, PrefixCache, ServerKind
from services.generator.domain.ports import Engine, Feature
from services.generator.domain.reasoning import FORMATS
from services.generator.domain.warm_up import warm_up
from services.kernel.clock import SystemClock
from services.runtime.settings import SettingsError
from tests.contracts.engine import EngineContract
from tests.contracts.engine_requests import CONTEXT_TOKENS
from tests.contracts.engine_structure import StructureContract
from tests.services.generator.adapters.openai_server.vllm_server import MODEL, vllm_server


@pytest.fixture(scope="session")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with vllm_server(tmp_path_factory.mktemp("vllm")) as found:
        yield found


async def started_without_cache(url: str) -> Engine:
    """An engine that is told that the server has no prefix cache."""
    parameters = OpenAiServerParameters(url=url, prefix_cache=PrefixCache.OFF)
    engine = engine_from(ServedModel(CONTEXT_TOKENS, str(MODEL)), parameters, SystemClock())
    await engine.start()
    return engine


@pytest.mark.vllm
@pytest.mark.asyncio(loop_scope="session")
async def test_a_server_with_a_prefix_cache_is_refused_where_it_is_said_to_have_none(url: str) -> None:
    with pytest.raises(SettingsError, match="of 257 tokens that were sent twice, 256 came from it"):
        await started_without_cache(url)


@pytest.mark.vllm
@pytest.mark.asyncio(loop_scope="session")
async def test_a_server_without_its_prefix_cache_is_believed_after_it_was_tried(tmp_path: Path) -> None:
    with vllm_server(tmp_path, "--no-enable-prefix-caching") as url, capture_logs() as logs:
        engine = await started_without_cache(url)
        await asyncio.to_thread(engine.shutdown)
    assert not [one for one in logs if one["event"] == "engine_prefix_cache_unchecked"]


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def served_engine(url: str) -> AsyncIterator[Engine]:
    parameters = OpenAiServerParameters(
        url=url,
        kind=ServerKind.VLLM,
        is_priority_scheduled=True,
        has_llguidance=True,
        load_interval_seconds=0.05,
    )
    model = ServedModel(CONTEXT_TOKENS, str(MODEL), reasoning=FORMATS["qwen3"])
    engine = engine_from(model, parameters, SystemClock())
    await engine.start()
    await warm_up(engine)
    yield engine
    await asyncio.to_thread(engine.shutdown)


@pytest.mark.vllm
@pytest.mark.asyncio(loop_scope="session")
class TestVllmServer(EngineContract, StructureContract):
    features = KINDS[ServerKind.VLLM].features | Feature.PRIORITY | Feature.STRUCTURE

    @pytest.fixture
    def engine(self, served_engine: Engine) -> Engine:
        return served_engine

    @pytest.fixture
    def control_tokens(self) -> dict[str, int]:
        tokenizer = json.loads((MODEL / "tokenizer.json").read_text())
        return {token["content"]: token["id"] for token in tokenizer["added_tokens"]}
