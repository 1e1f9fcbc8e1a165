"""The contract of engines on a real model, whose tokens, weights and pace are those that users see."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from services.generator.adapters.engines import engine_from
from services.generator.domain.engine_parameters import ServedModel, VllmParameters
from services.generator.domain.ports import Engine
from services.generator.domain.reasoning import FORMATS
from services.generator.domain.warm_up import warm_up
from services.kernel.clock import SystemClock
from tests.contracts.engine import EngineContract
from tests.contracts.engine_requests import CONTEXT_TOKENS, RUNNING_REQUESTS, answer, ask, chat
from tests.contracts.engine_structure import StructureContract
from tests.real_model import real_model

# Blocks for three whole contexts, where four requests run, so that some are preempted.
KV_CACHE_BYTES = 3 * CONTEXT_TOKENS * 30 * 2 * 3 * 64 * 4


@pytest.fixture(scope="session")
def real_folder() -> Path:
    return real_model()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def real_engine(real_folder: Path) -> AsyncIterator[Engine]:
    parameters = VllmParameters(
        dtype="float32", kv_cache_memory_bytes=KV_CACHE_BYTES, max_running_requests=RUNNING_REQUESTS
    )
    # It was not trained to think, and is held to the form of a section all the same, as tiny-eu is.
    model = ServedModel(CONTEXT_TOKENS, str(real_folder), reasoning=FORMATS["qwen3"])
    engine = engine_from(model, parameters, SystemClock())
    await engine.start()
    await warm_up(engine)
    yield engine
    await asyncio.to_thread(engine.shutdown)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.vllm
@pytest.mark.real
@pytest.mark.timeout(900)
@pytest.mark.asyncio(loop_scope="session")
class TestRealModel(EngineContract, StructureContract):
    @pytest.fixture
    def engine(self, real_engine: Engine) -> Engine:
        return real_engine

    @pytest.fixture
    def control_tokens(self, real_folder: Path) -> dict[str, int]:
        tokenizer = json.loads((real_folder / "tokenizer.json").read_text())
        return {token["content"]: token["id"] for token in tokenizer["added_tokens"]}

    fuzz_seconds = 600.0
    # Its template has no words for tools, and none that open a section.
    test_tools_are_told_of_in_the_prompt_and_their_words_steer_nothing: Any = None
    test_an_open_section_is_ended_by_its_budget: Any = None
    test_an_answer_fits_behind_its_reasoning: Any = None

    async def test_it_knows_the_capital_of_france(self, engine: Engine) -> None:
        asked = await chat(engine, "What is the capital of France?")
        assert (await answer(ask(engine, asked))).text == "The capital of France is Paris."
