from typing import cast

import pytest

from services.generator.adapters.simulated.engine import SimulatedEngine
from services.generator.domain.engine_parameters import ServedModel, SimulatedParameters
from services.generator.domain.ports import Engine, EngineFailedError, Feature
from services.generator.domain.warm_up import warm_up
from services.kernel.clock import SystemClock
from tests.services.generator.domain.scripted_engine import EVERYTHING, ScriptedEngine

MODEL = ServedModel(context_tokens=1024)


async def test_a_warm_engine_is_idle_and_has_made_tokens() -> None:
    engine = SimulatedEngine(MODEL, SimulatedParameters(ttft_seconds=0, itl_seconds=0.0001), SystemClock())
    await warm_up(engine)
    assert engine.unfinished_requests() == 0
    assert engine.load().output_tokens_total == 2


async def test_a_dead_engine_does_not_become_ready() -> None:
    engine = SimulatedEngine(MODEL, SimulatedParameters(), SystemClock())
    engine.die()
    with pytest.raises(EngineFailedError):
        await warm_up(engine)


async def test_what_schemas_need_is_loaded_before_the_first_caller_asks_for_one() -> None:
    engine = ScriptedEngine(features=EVERYTHING | Feature.STRUCTURE)
    await warm_up(cast(Engine, engine))
    (request,) = engine.requests
    assert request.structure is not None
    assert request.structure.json_schema
