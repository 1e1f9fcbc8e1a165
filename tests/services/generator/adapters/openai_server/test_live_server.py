"""The contract of engines on a server that already runs: `pytest --engine-url URL --engine-kind KIND`.

Without the option nothing of it is collected. The server holds at least CONTEXT_TOKENS and runs
RUNNING_REQUESTS at once and no more, so that there is a queue; docs/engines.md has the commands.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from services.generator.adapters.engines import engine_from
from services.generator.adapters.openai_server.kinds import KINDS
from services.generator.domain.engine_parameters import ServedModel
from services.generator.domain.foreign_engine import OpenAiServerParameters, PrefixCache, ServerKind
from services.generator.domain.ports import Engine
from services.generator.domain.reasoning import FORMATS
from services.generator.domain.warm_up import warm_up
from services.kernel.clock import SystemClock
from tests.contracts.engine import EngineContract
from tests.contracts.engine_requests import CONTEXT_TOKENS
from tests.services.generator.adapters.openai_server.vllm_server import MODEL


@pytest.fixture(scope="session")
def folder(request: pytest.FixtureRequest) -> Path:
    return Path(request.config.getoption("--engine-model") or MODEL)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def live_engine(request: pytest.FixtureRequest, folder: Path) -> AsyncIterator[Engine]:
    kind = ServerKind(request.config.getoption("--engine-kind"))
    is_apart = kind is not ServerKind.TENSORRT_LLM
    parameters = OpenAiServerParameters(
        url=request.config.getoption("--engine-url"),
        kind=kind,
        prefix_cache=PrefixCache.PER_REQUEST if is_apart else PrefixCache.OFF,
        load_interval_seconds=0.05,
    )
    engine = engine_from(
        ServedModel(CONTEXT_TOKENS, str(folder), reasoning=FORMATS["qwen3"]), parameters, SystemClock()
    )
    await engine.start()
    try:
        await warm_up(engine)
        yield engine
    finally:
        await asyncio.to_thread(engine.shutdown)


class LiveServer(EngineContract):
    @pytest.fixture
    def engine(self, live_engine: Engine) -> Engine:
        return live_engine

    @pytest.fixture
    def control_tokens(self, folder: Path) -> dict[str, int]:
        tokenizer = json.loads((folder / "tokenizer.json").read_text())
        return {token["content"]: token["id"] for token in tokenizer["added_tokens"]}


@pytest.mark.asyncio(loop_scope="session")
class TestLiveVllm(LiveServer):
    live_kind = ServerKind.VLLM
    features = KINDS[live_kind].features


@pytest.mark.asyncio(loop_scope="session")
class TestLiveSglang(LiveServer):
    live_kind = ServerKind.SGLANG
    features = KINDS[live_kind].features


@pytest.mark.asyncio(loop_scope="session")
class TestLiveTensorRtLlm(LiveServer):
    live_kind = ServerKind.TENSORRT_LLM
    features = KINDS[live_kind].features


@pytest.mark.asyncio(loop_scope="session")
class TestLiveLlamaCpp(LiveServer):
    live_kind = ServerKind.LLAMA_CPP
    features = KINDS[live_kind].features
    lacks = frozenset({"min_tokens", "stop_token_ids"})
    # It fails a request in whose answer it finds no text, as garbled ones are (docs/engines.md).
    most_failed = 8
    # It computes every prompt anew, on a processor.
    attempts = 120
    keeps_queue = True
