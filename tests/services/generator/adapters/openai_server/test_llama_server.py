"""The contract of engines on a real llama.cpp server, which is neither vLLM nor like it."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from services.generator.adapters.engines import engine_from
from services.generator.adapters.openai_server.kinds import KINDS
from services.generator.domain.engine_parameters import ServedModel
from services.generator.domain.foreign_engine import OpenAiServerParameters, ServerKind
from services.generator.domain.ports import Engine
from services.generator.domain.reasoning import FORMATS
from services.generator.domain.warm_up import warm_up
from services.kernel.clock import SystemClock
from tests.contracts.engine import EngineContract
from tests.contracts.engine_requests import (
    CONTEXT_TOKENS,
    LASTING,
    LASTING_TOKENS,
    ask,
    chat,
    until,
)
from tests.services.generator.adapters.openai_server.llama_server import MODEL, llama_server


@pytest.fixture(scope="session")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with llama_server(tmp_path_factory.mktemp("llama")) as found:
        yield found


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def llama_engine(url: str) -> AsyncIterator[Engine]:
    parameters = OpenAiServerParameters(url=url, kind=ServerKind.LLAMA_CPP, load_interval_seconds=0.05)
    model = ServedModel(CONTEXT_TOKENS, str(MODEL), reasoning=FORMATS["qwen3"])
    engine = engine_from(model, parameters, SystemClock())
    await engine.start()
    try:
        await warm_up(engine)
        yield engine
    finally:
        await asyncio.to_thread(engine.shutdown)


@pytest.mark.vllm
@pytest.mark.asyncio(loop_scope="session")
class TestLlamaServer(EngineContract):
    features = KINDS[ServerKind.LLAMA_CPP].features
    lacks = frozenset({"min_tokens", "stop_token_ids"})
    # It fails a request in whose answer it finds no text, as garbled ones are (docs/engines.md).
    most_failed = 8
    # It computes every prompt anew, on a processor.
    attempts = 120
    # What waits and whose connection is closed is dropped in its turn (docs/engines.md).
    keeps_queue = True

    @pytest.fixture
    def engine(self, llama_engine: Engine) -> Engine:
        return llama_engine

    @pytest.fixture
    def control_tokens(self) -> dict[str, int]:
        tokenizer = json.loads((MODEL / "tokenizer.json").read_text())
        return {token["content"]: token["id"] for token in tokenizer["added_tokens"]}

    async def test_how_full_its_cache_is_stays_unknown(self, engine: Engine) -> None:
        steps = ask(engine, await chat(engine), sampling=LASTING, tokens=LASTING_TOKENS)
        await anext(steps)
        await until(lambda: engine.load().running_requests == 1, 60)
        assert engine.load().kv_usage is None
        assert engine.load().waiting_requests == 0
        await steps.aclose()

    async def test_nothing_of_a_prompt_stays_for_the_next(self, engine: Engine) -> None:
        prompt = await chat(engine, "La réunion commence à neuf heures précises. " * 20)
        for _ in range(2):
            steps = [step async for step in ask(engine, prompt, tokens=2)]
            assert [step.measures.cached_input_tokens for step in steps if step.measures] == [0]
