import asyncio

import pytest

from services.generator.adapters.simulated.engine import SimulatedEngine
from services.generator.adapters.simulated.text import END_OF_TURN
from services.generator.domain.delta import EngineFinish
from services.generator.domain.engine_parameters import ServedModel, SimulatedParameters
from services.generator.domain.ports import EngineFailedError
from services.generator.domain.reasoning import FORMATS
from services.kernel.clock import ManualClock, SystemClock
from tests.contracts.engine import EngineContract
from tests.contracts.engine_requests import CONTEXT_TOKENS, RUNNING_REQUESTS, answer, ask, chat

MODEL = ServedModel(CONTEXT_TOKENS, reasoning=FORMATS["qwen3"])
PARAMETERS = SimulatedParameters(
    ttft_seconds=0.003,
    itl_seconds=0.0005,
    kv_blocks=1024,
    max_running_requests=RUNNING_REQUESTS,
    answer_tokens=1000,
)


class TestSimulatedEngine(EngineContract):
    @pytest.fixture
    def engine(self) -> SimulatedEngine:
        return SimulatedEngine(MODEL, PARAMETERS, SystemClock())

    @pytest.fixture
    def control_tokens(self) -> dict[str, int]:
        return {"<|end|>": END_OF_TURN, "<|system|>": 257, "<|user|>": 258, "<|assistant|>": 259}


class HandTurnedTime:
    """A clock and a sleep that moves it: simulated time costs no time."""

    def __init__(self) -> None:
        self.clock = ManualClock()

    async def sleep(self, seconds: float) -> None:
        self.clock.advance(seconds)
        await asyncio.sleep(0)


def simulated(time: HandTurnedTime, **changes: float) -> SimulatedEngine:
    told = {"ttft_seconds": 0.5, "itl_seconds": 0.1, "answer_tokens": 8, "kv_blocks": 64, **changes}
    parameters = SimulatedParameters.model_validate(told)
    return SimulatedEngine(ServedModel(2048), parameters, time.clock, time.sleep)


async def test_first_token_comes_after_the_ttft_and_the_others_one_itl_apart() -> None:
    time = HandTurnedTime()
    engine = simulated(time)
    began = time.clock.monotonic_seconds()
    result = await answer(ask(engine, await chat(engine, "a"), tokens=4))
    assert result.measures[0].prefill_seconds == pytest.approx(0.5)
    assert time.clock.monotonic_seconds() - began == pytest.approx(0.5 + 3 * 0.1, abs=0.11)


async def test_an_answer_ends_by_itself_after_its_tokens() -> None:
    engine = simulated(HandTurnedTime())
    result = await answer(ask(engine, await chat(engine), tokens=100))
    assert result.finish is EngineFinish.STOP
    assert result.output_tokens == 8


async def test_a_request_waits_until_the_blocks_it_may_need_are_free() -> None:
    time = HandTurnedTime()
    engine = simulated(time, kv_blocks=4, answer_tokens=50)
    input_ids = await chat(engine, "a")
    first = ask(engine, input_ids, tokens=40)
    await anext(first)
    second = ask(engine, input_ids, tokens=40)
    waited = await answer(second)
    assert waited.measures[0].queue_seconds > 1.0
    await first.aclose()


async def test_a_cached_prefix_makes_the_prefill_shorter() -> None:
    engine = simulated(HandTurnedTime())
    input_ids = await chat(engine, "a" * 100)
    cold = await answer(ask(engine, input_ids, tokens=1))
    warm = await answer(ask(engine, input_ids, tokens=1))
    assert warm.measures[0].prefill_seconds < cold.measures[0].prefill_seconds / 5


async def test_a_dead_engine_fails_every_request_and_its_health() -> None:
    engine = simulated(HandTurnedTime())
    steps = ask(engine, await chat(engine), tokens=8)
    await anext(steps)
    engine.die()
    with pytest.raises(EngineFailedError):
        await answer(steps)
    with pytest.raises(EngineFailedError):
        await answer(ask(engine, await chat(engine)))
    with pytest.raises(EngineFailedError):
        await engine.check_health()
    assert engine.unfinished_requests() == 0


async def test_after_an_idle_hour_the_first_request_has_not_waited_an_hour() -> None:
    time = HandTurnedTime()
    engine = simulated(time)
    await answer(ask(engine, await chat(engine)))
    time.clock.advance(3600.0)
    assert engine.load().age_seconds == 0.0
    steps = ask(engine, await chat(engine))
    first = asyncio.ensure_future(anext(steps))
    await asyncio.sleep(0)
    assert (engine.unfinished_requests(), engine.load().age_seconds) == (1, 0.0)
    await first
    await steps.aclose()
