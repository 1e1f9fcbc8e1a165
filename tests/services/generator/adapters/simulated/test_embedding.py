import asyncio

import pytest

from services.generator.adapters.engines import engine_from
from services.generator.adapters.simulated.embedding import SimulatedEmbeddingEngine
from services.generator.domain.engine_parameters import ServedModel, SimulatedParameters
from services.generator.domain.ports import Engine, EngineFailedError
from services.kernel.catalog import Task
from services.kernel.clock import SystemClock
from tests.contracts.embedding_engine import (
    CONTEXT_TOKENS,
    RUNNING_REQUESTS,
    EmbeddingEngineContract,
    vector,
)
from tests.contracts.engine_requests import until

MODEL = ServedModel(CONTEXT_TOKENS, task=Task.EMBED)
PARAMETERS = SimulatedParameters(ttft_seconds=0.002, max_running_requests=RUNNING_REQUESTS)


class TestSimulatedEmbeddingEngine(EmbeddingEngineContract):
    @pytest.fixture
    def engine(self) -> Engine:
        return engine_from(MODEL, PARAMETERS, SystemClock())


async def test_an_engine_that_dies_fails_all_that_it_has_and_all_that_comes() -> None:
    engine = SimulatedEmbeddingEngine(MODEL, PARAMETERS, SystemClock())
    tasks = [asyncio.create_task(vector(engine, [65 + number])) for number in range(9)]
    await until(lambda: engine.unfinished_requests() == 9, 5)
    engine.die()
    done, _ = await asyncio.wait(tasks, timeout=5)
    assert {type(task.exception()) for task in done} == {EngineFailedError}
    with pytest.raises(EngineFailedError):
        await engine.check_health()
    with pytest.raises(EngineFailedError):
        await vector(engine, [65])
