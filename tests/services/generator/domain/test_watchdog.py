from dataclasses import dataclass

from services.generator.domain.ports import EngineFailedError, EngineLoad
from services.generator.domain.watchdog import EngineLoss, HangDetector, until_engine_fails
from services.kernel.clock import ManualClock


def test_an_idle_engine_does_not_hang_however_old_its_numbers() -> None:
    detector = HangDetector(10.0)
    assert not detector.is_hung(now_seconds=1000.0, unfinished_requests=0, age_seconds=900.0)


def test_old_numbers_count_only_from_when_the_engine_became_busy() -> None:
    detector = HangDetector(10.0)
    assert not detector.is_hung(now_seconds=0.0, unfinished_requests=1, age_seconds=900.0)
    assert not detector.is_hung(now_seconds=10.0, unfinished_requests=1, age_seconds=910.0)
    assert detector.is_hung(now_seconds=10.1, unfinished_requests=1, age_seconds=910.1)


def test_a_busy_engine_that_makes_steps_does_not_hang() -> None:
    detector = HangDetector(10.0)
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
    patient.loss = await until_engine_fails(patient, patient.clock, hang_seconds=30.0, sleep=sleep)  # type: ignore[arg-type]
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
