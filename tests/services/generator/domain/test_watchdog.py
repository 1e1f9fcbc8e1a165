import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import pytest

from services.generator.adapters.simulated.engine import SimulatedEngine
from services.generator.domain.bounds import Bounds
from services.generator.domain.delta import Delta, EngineFinish, TokenChoice, TokenLogprob
from services.generator.domain.engine_parameters import ServedModel, SimulatedParameters
from services.generator.domain.ports import (
    Engine,
    EngineFailedError,
    EngineLoad,
    EngineRequest,
    Receive,
    RequestFailedError,
)
from services.generator.domain.watchdog import EngineLoss, HangDetector, IdleProbe, until_engine_fails
from services.kernel.clock import ManualClock
from services.kernel.errors import ComptoirError, Reason

BOUNDS = Bounds(engine_step_seconds=5.0, engine_hang_seconds=10.0, engine_probe_seconds=30.0)


def test_an_idle_engine_does_not_hang_however_old_its_numbers() -> None:
    detector = HangDetector(BOUNDS)
    assert not detector.is_hung(now_seconds=1000.0, unfinished_requests=0, age_seconds=900.0)


def looks(detector: HangDetector, *, until_seconds: int, prefill_seconds: float | None = None) -> list[bool]:
    """Looks every second at an engine that makes no step from 0 on."""
    return [
        detector.is_hung(
            now_seconds=float(second),
            unfinished_requests=1,
            age_seconds=900.0 + second,
            prefill_seconds=prefill_seconds,
        )
        for second in range(until_seconds + 1)
    ]


def test_old_numbers_count_only_from_when_the_engine_became_busy() -> None:
    assert looks(HangDetector(BOUNDS), until_seconds=11) == [False] * 11 + [True]


def test_an_engine_of_known_pace_is_left_within_seconds_and_ten_times_what_its_prompts_take() -> None:
    assert looks(HangDetector(BOUNDS), until_seconds=6, prefill_seconds=0.0) == [False] * 6 + [True]
    assert looks(HangDetector(BOUNDS), until_seconds=8, prefill_seconds=0.2) == [False] * 8 + [True]
    assert looks(HangDetector(BOUNDS), until_seconds=11, prefill_seconds=60.0) == [False] * 11 + [True]


def test_an_engine_that_stood_still_with_the_whole_process_does_not_hang() -> None:
    detector = HangDetector(BOUNDS)
    assert not any(looks(detector, until_seconds=3))
    assert not detector.is_hung(now_seconds=500.0, unfinished_requests=1, age_seconds=1400.0)
    assert not detector.is_hung(now_seconds=501.0, unfinished_requests=1, age_seconds=1401.0)


def test_a_busy_engine_that_makes_steps_does_not_hang() -> None:
    detector = HangDetector(BOUNDS)
    for second in range(100):
        assert not detector.is_hung(now_seconds=second, unfinished_requests=5, age_seconds=1.0)


@dataclass
class Patient:
    """As much of an engine as the watchdog looks at."""

    clock: ManualClock
    dies_at_seconds: float = float("inf")
    hangs_at_seconds: float = float("inf")
    loss: EngineLoss | None = None

    async def check_health(self) -> None:
        if self.clock.monotonic_seconds() >= self.dies_at_seconds:
            raise EngineFailedError

    def unfinished_requests(self) -> int:
        return 1

    def load(self) -> EngineLoad:
        age = max(0.0, self.clock.monotonic_seconds() - self.hangs_at_seconds)
        return EngineLoad(1, 0, 0.1, age, 0, 0)


async def watch(patient: Patient) -> float:
    async def sleep(seconds: float) -> None:
        patient.clock.advance(seconds)

    began = patient.clock.monotonic_seconds()
    bounds = Bounds(engine_hang_seconds=30.0)
    patient.loss = await until_engine_fails(cast(Engine, patient), patient.clock, bounds, sleep=sleep)
    return patient.clock.monotonic_seconds() - began


async def test_a_death_is_noticed_within_a_second() -> None:
    clock = ManualClock(monotonic_seconds=0.0)
    patient = Patient(clock, dies_at_seconds=5.0)
    assert 5.0 <= await watch(patient) <= 6.0
    assert patient.loss is EngineLoss.DIED


async def test_a_hang_is_noticed_after_its_bound() -> None:
    clock = ManualClock(monotonic_seconds=0.0)
    patient = Patient(clock, hangs_at_seconds=10.0)
    assert 40.0 <= await watch(patient) <= 42.0
    assert patient.loss is EngineLoss.HUNG


class Idle(SimulatedEngine):
    """An engine that nobody asks; `gives` is what the probe gets in place of a token."""

    def __init__(self, clock: ManualClock, gives: Callable[[EngineRequest, Receive], None] | None) -> None:
        async def turn(_seconds: float) -> None:
            await asyncio.sleep(0)

        super().__init__(ServedModel(1024), SimulatedParameters(ttft_seconds=0.0), clock, turn)
        self.asked = 0
        self._gives = gives

    async def submit(self, request: EngineRequest, receive: Receive) -> None:
        """Answers as it is told to."""
        self.asked += 1
        if self._gives is None:
            await super().submit(request, receive)
        else:
            self._gives(request, receive)


async def look_for(probe: IdleProbe, clock: ManualClock, seconds: int) -> EngineLoss | None:
    for _ in range(seconds):
        if (loss := probe.look(clock.monotonic_seconds())) is not None:
            return loss
        clock.advance(1.0)
        for _ in range(20):
            await asyncio.sleep(0)
    return None


async def loss_of(gives: Callable[[EngineRequest, Receive], None] | None) -> EngineLoss | None:
    clock = ManualClock()
    probe = IdleProbe(Idle(clock, gives), BOUNDS)
    loss = await look_for(probe, clock, 70)
    probe.close()
    return loss


async def test_an_idle_engine_is_asked_for_a_token_again_and_again() -> None:
    clock = ManualClock()
    engine = Idle(clock, None)
    assert await look_for(IdleProbe(engine, BOUNDS), clock, 100) is None
    assert (engine.asked, engine.load().output_tokens_total, engine.unfinished_requests()) == (3, 3, 0)


async def test_an_engine_that_is_busy_or_never_to_be_asked_is_not() -> None:
    clock = ManualClock()
    engine = Idle(clock, None)
    assert await look_for(IdleProbe(engine, Bounds(engine_probe_seconds=0.0)), clock, 100) is None
    engine.unfinished_requests = lambda: 1  # type: ignore[method-assign]
    assert await look_for(IdleProbe(engine, BOUNDS), clock, 100) is None
    assert engine.asked == 0


def delta(**changes: object) -> Delta:
    told = {"output_tokens": 1, "finish": EngineFinish.LENGTH, **changes}
    return Delta(**told)  # type: ignore[arg-type]


def token(logprob: float, token_id: int = 5) -> tuple[TokenChoice, ...]:
    return (TokenChoice(TokenLogprob(b"a", token_id, logprob)),)


@pytest.mark.parametrize(
    "nonsense",
    [
        delta(output_tokens=0),
        delta(output_tokens=2),
        delta(finish=EngineFinish.ABORT),
        delta(tokens=token(float("nan"))),
        delta(tokens=token(float("-inf"))),
        delta(tokens=token(-0.1, token_id=10**6)),
        RequestFailedError(),
    ],
)
async def test_an_idle_engine_that_answers_nonsense_is_lost(nonsense: Delta | RequestFailedError) -> None:
    assert await loss_of(lambda _, receive: receive(nonsense)) is EngineLoss.NONSENSE


async def test_an_idle_engine_that_answers_nothing_is_lost_within_what_a_step_may_take() -> None:
    clock = ManualClock()
    probe = IdleProbe(Idle(clock, lambda _, __: None), BOUNDS)
    assert await look_for(probe, clock, 40) is None
    assert await look_for(probe, clock, 3) is EngineLoss.HUNG
    probe.close()


class Slow(Idle):
    """Takes as long for its answers as it is told, one after the other; then none comes."""

    def __init__(self, clock: ManualClock, *answers_seconds: float) -> None:
        super().__init__(clock, self._late)
        self._clock, self._takes = clock, list(answers_seconds)
        self._due: tuple[float, Receive] | None = None

    def _late(self, _: EngineRequest, receive: Receive) -> None:
        if self._takes:
            self._due = self._clock.monotonic_seconds() + self._takes.pop(0), receive

    def unfinished_requests(self) -> int:
        """Returns 1 while it answers."""
        if self._due is not None and self._clock.monotonic_seconds() >= self._due[0]:
            self._due[1](sane())
            self._due = None
        return int(self._due is not None)


def sane() -> Delta:
    return delta(finish=EngineFinish.STOP, tokens=token(-0.5))


async def test_an_idle_engine_has_ten_times_what_its_last_answer_took() -> None:
    clock = ManualClock()
    bounds = Bounds(engine_hang_seconds=500.0)
    probe = IdleProbe(Slow(clock, 8.0, 70.0), bounds)
    assert await look_for(probe, clock, 30 + 9 + 30 + 71 + 30) is None
    probe = IdleProbe(Slow(clock, 2.0), bounds)
    assert await look_for(probe, clock, 30 + 4 + 30 + 39) is None
    assert await look_for(probe, clock, 30) is EngineLoss.HUNG
    probe.close()


async def test_an_idle_engine_that_stood_still_with_the_whole_process_is_not_lost() -> None:
    clock = ManualClock()
    engine = Slow(clock, 4.0, 4.0)
    probe = IdleProbe(engine, BOUNDS)
    assert await look_for(probe, clock, 33) is None
    clock.advance(1000.0)
    assert await look_for(probe, clock, 3) is None


async def test_a_request_that_failed_once_is_asked_again_and_a_busy_engine_is_alive() -> None:
    clock = ManualClock()
    answers: list[Delta | RequestFailedError] = [RequestFailedError(), sane(), RequestFailedError()]
    engine = Idle(clock, lambda _, receive: receive(answers.pop(0)))
    probe = IdleProbe(engine, BOUNDS)
    assert await look_for(probe, clock, 34) is None
    assert engine.asked == 2

    def refuse(_: EngineRequest, __: Receive) -> None:
        raise ComptoirError(Reason.REPLICA_OVERLOADED)

    assert await loss_of(refuse) is None


async def test_an_engine_that_ends_before_it_begins_makes_sense() -> None:
    assert await loss_of(lambda _, receive: receive(delta(output_tokens=0, finish=EngineFinish.STOP))) is None


async def test_an_idle_engine_that_dies_of_the_question_is_dead() -> None:
    assert await loss_of(lambda _, receive: receive(EngineFailedError())) is EngineLoss.DIED


async def test_what_is_sane_is_no_loss() -> None:
    assert await loss_of(lambda _, receive: receive(sane())) is None


class Recomputing(Patient):
    """Preempts at 10 s, and computes again from then on without an end; until then it makes steps."""

    def load(self) -> EngineLoad:
        """Returns that one waits since then."""
        now = self.clock.monotonic_seconds()
        is_behind = now >= self.hangs_at_seconds
        return EngineLoad(0, int(is_behind), 0.1, max(0.0, now - self.hangs_at_seconds), 0, int(is_behind))


async def test_what_was_preempted_is_computed_again_for_as_long_as_it_may_take() -> None:
    bounds = Bounds(engine_step_seconds=5.0, engine_hang_seconds=60.0)
    for kind, seconds in ((Patient, 15.0), (Recomputing, 70.0)):
        clock = ManualClock(monotonic_seconds=0.0)
        patient = kind(clock, hangs_at_seconds=10.0)

        async def sleep(passed: float, clock: ManualClock = clock) -> None:
            clock.advance(passed)

        engine = cast(Engine, patient)
        loss = await until_engine_fails(engine, clock, bounds, prefill_seconds=lambda: 0.0, sleep=sleep)
        assert loss is EngineLoss.HUNG
        assert seconds <= clock.monotonic_seconds() <= seconds + 2.0
