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
    # Blocks for three whole contexts where four requests run, so that some are preempted.
    kv_blocks=3 * CONTEXT_TOKENS // 16,
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


async def test_a_prompt_waits_until_blocks_for_all_of_it_are_free() -> None:
    time = HandTurnedTime()
    engine = simulated(time, kv_blocks=4, answer_tokens=50)
    first = ask(engine, await chat(engine, "a" * 40), tokens=20)
    await anext(first)
    waited = await answer(ask(engine, await chat(engine, "b" * 30), tokens=2))
    assert waited.measures[0].queue_seconds > 1.0
    await first.aclose()


async def test_blocks_that_run_out_are_taken_from_who_came_last_and_each_token_comes_once() -> None:
    engine = simulated(HandTurnedTime(), kv_blocks=6, answer_tokens=1000)
    asked = [(await chat(engine, letter * 12), letter) for letter in "ab"]
    alone = [await answer(ask(engine, prompt, tokens=60, salt=salt)) for prompt, salt in asked]
    beside = await asyncio.gather(
        *(answer(ask(engine, prompt, tokens=60, salt=salt + "b")) for prompt, salt in asked)
    )
    assert (engine.load().preempted_requests_total or 0) >= 1
    assert [one.text for one in beside] == [one.text for one in alone]
    assert [one.output_tokens for one in beside] == [60, 60]
    assert engine.load().kv_usage == 0.0


async def test_a_step_takes_longer_for_each_token_of_a_prompt_and_each_request() -> None:
    time = HandTurnedTime()
    engine = simulated(time, ttft_seconds=0.0, prefill_token_seconds=0.01, running_request_seconds=1.0)
    prompt = await chat(engine, "a" * 97)
    began = time.clock.monotonic_seconds()
    result = await answer(ask(engine, prompt, tokens=3))
    assert result.measures[0].prefill_seconds == pytest.approx(0.1 + 0.01 * len(prompt) + 1.0)
    decode_seconds = time.clock.monotonic_seconds() - began - result.measures[0].prefill_seconds
    assert decode_seconds == pytest.approx(2 * 1.1)


async def test_a_long_prompt_does_not_hold_up_the_answers_of_others() -> None:
    time = HandTurnedTime()
    engine = simulated(
        time, ttft_seconds=0.0, prefill_token_seconds=0.01, max_batched_tokens=32, kv_blocks=128
    )
    first = ask(engine, await chat(engine, "a"), tokens=60)
    await anext(first)
    long = asyncio.create_task(answer(ask(engine, await chat(engine, "b" * 1000), tokens=1)))
    waits, before = [], time.clock.monotonic_seconds()
    async for _ in first:
        waits.append(time.clock.monotonic_seconds() - before)
        before = time.clock.monotonic_seconds()
    assert max(waits) < 0.1 + 0.01 * 32 + 0.001
    assert (await long).output_tokens == 1


async def test_a_cached_prefix_makes_the_prefill_shorter() -> None:
    engine = simulated(HandTurnedTime(), itl_seconds=0.01)
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
