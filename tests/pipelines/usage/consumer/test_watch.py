"""How far the store is behind is measured beside the loop: also while the store or the log is away."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from structlog.testing import capture_logs

from pipelines.usage.consumer.keeper import Ports
from pipelines.usage.consumer.standing import Standing
from pipelines.usage.consumer.watch import Watch
from pipelines.usage.domain.errors import UnavailableError
from pipelines.usage.domain.ports import Lag
from pipelines.usage.domain.rules import Rules
from services.contract.events import Kind
from services.kernel.clock import ManualClock
from services.kernel.readiness import Figure, Readiness, Unready
from tests.pipelines.usage.frames import NOW_MICROSECONDS, value
from tests.pipelines.usage.memory import (
    MemoryDeadLetters,
    MemoryLag,
    MemoryLog,
    MemoryMeter,
    MemorySource,
    MemoryStore,
)
from tests.pipelines.usage.world import ADMISSIONS

RULES = Rules(late_seconds=60, measure_every_seconds=0.1)


class Away(MemoryLag):
    """A log that answers only while `is_here`."""

    is_here = True

    async def measure(self) -> Sequence[Lag]:
        if not self.is_here:
            raise UnavailableError("KafkaConnectionError", is_log=True)
        return await super().measure()


class Scene:
    """A watch over a log that grows while nobody stores anything."""

    def __init__(self) -> None:
        self.clock = ManualClock(wall_microseconds=NOW_MICROSECONDS)
        self.log = MemoryLog(self.clock)
        self.lag = Away(self.log)
        self.store = MemoryStore(self.clock)
        self.meter = MemoryMeter()
        source = MemorySource(self.log)
        self.ports = Ports(source, self.lag, self.store, MemoryDeadLetters(), self.meter, self.clock)
        self.standing = Standing(RULES)
        self.standing.is_member = True
        self.watch = Watch(self.ports, RULES, self.standing)

    async def state(self) -> Readiness:
        """Measures, and says what follows."""
        await self.watch.measure()
        return self.standing.readiness()


async def test_the_lag_is_known_during_an_outage_as_frames_and_as_seconds() -> None:
    scene = Scene()
    assert (await scene.state()).is_ready
    assert (scene.meter.lag_frames, scene.meter.lag_seconds) == (0, 0.0)
    await scene.log.append(ADMISSIONS, value(Kind.ADMISSION), value(Kind.ADMISSION, first=4))
    scene.clock.advance(45)
    await scene.log.append(ADMISSIONS, value(Kind.ADMISSION, first=7))
    assert (await scene.state()).is_ready
    assert (scene.meter.lag_frames, scene.meter.lag_seconds) == (3, 45.0)


async def test_a_store_that_is_late_by_more_than_the_bound_makes_the_pipeline_unready_with_the_cause() -> (
    None
):
    scene = Scene()
    await scene.log.append(ADMISSIONS, value(Kind.ADMISSION))
    scene.clock.advance(61)
    late = await scene.state()
    assert late.reason is Unready.BEHIND
    assert (late.figures[Figure.WAITING_FRAMES], late.figures[Figure.BEHIND_SECONDS]) == (1, 61)
    scene.standing.failure = UnavailableError("OperationalError", store_code=242)
    late = await scene.state()
    assert late.reason is Unready.STORE_AWAY
    assert late.figures[Figure.CLICKHOUSE_CODE] == 242
    scene.standing.failure = UnavailableError("KafkaError", is_log=True)
    assert (await scene.state()).reason is Unready.LOG_AWAY
    scene.log.committed[ADMISSIONS] = 1
    assert (await scene.state()).is_ready


async def test_while_the_log_does_not_answer_the_age_of_what_is_known_goes_on_growing() -> None:
    scene = Scene()
    assert (await scene.state()).is_ready
    scene.lag.is_here = False
    scene.clock.advance(59)
    assert (await scene.state()).is_ready
    scene.clock.advance(2)
    away = await scene.state()
    assert away.reason is Unready.LOG_AWAY
    assert scene.meter.lag_seconds == 61.0


async def test_a_clock_that_is_set_wrong_does_not_change_how_late_the_store_is() -> None:
    scene = Scene()
    await scene.log.append(ADMISSIONS, value(Kind.ADMISSION))
    await scene.state()
    stores_clock = ManualClock(wall_microseconds=NOW_MICROSECONDS)
    scene.store.clock = lambda: asyncio.sleep(0, stores_clock.wall_microseconds())  # type: ignore[method-assign]
    for days in (-1, 40):
        scene.clock.set_wall(NOW_MICROSECONDS + days * 86_400_000_000)
        await scene.state()
        assert scene.meter.lag_seconds == 0.0


async def test_each_kinds_progress_is_noted_in_the_store() -> None:
    scene = Scene()
    await scene.log.append(ADMISSIONS, value(Kind.ADMISSION))
    await scene.state()
    noted = {it.kind: it for it in scene.store.progress}
    assert set(noted) == set(Kind)
    assert (noted[Kind.ADMISSION].waiting_frames, noted[Kind.ADMISSION].oldest_microseconds) == (
        1,
        NOW_MICROSECONDS,
    )
    assert (noted[Kind.GENERATION].waiting_frames, noted[Kind.GENERATION].oldest_microseconds) == (0, 0)


async def test_who_never_joined_is_starting() -> None:
    scene = Scene()
    scene.standing.is_member = False
    assert scene.standing.readiness().reason is Unready.STARTING
    assert (await scene.state()).reason is Unready.STARTING


async def test_who_joined_and_never_measured_is_starting() -> None:
    assert Scene().standing.readiness().reason is Unready.STARTING


async def test_who_lost_its_place_in_the_group_says_so() -> None:
    scene = Scene()
    await scene.state()
    scene.standing.took_part(is_member=False, is_stopped_by_bad_frames=False)
    assert scene.standing.readiness().reason is Unready.REBALANCING


async def test_what_the_loop_changes_is_told_at_once_and_logged_once() -> None:
    scene = Scene()
    told: list[Readiness] = []
    stop = asyncio.Event()

    async def on_ready(state: Readiness) -> None:
        told.append(state)
        if state.is_ready:
            scene.standing.took_part(is_member=True, is_stopped_by_bad_frames=True)
        elif len(told) > 20:
            stop.set()

    with capture_logs() as lines:
        async with asyncio.timeout(10):
            await scene.watch.run(stop, on_ready)
    assert [state.reason for state in told[:2]] == [Unready.UNSPECIFIED, Unready.CORRUPT_FRAMES]
    assert [line["event"] for line in lines] == ["ready", "unready"]


async def test_a_log_that_does_not_answer_the_first_question_is_asked_again_soon() -> None:
    scene = Scene()
    scene.lag.is_here = False
    watch = Watch(scene.ports, Rules(late_seconds=60, measure_every_seconds=60), scene.standing)
    stop = asyncio.Event()

    async def on_ready(state: Readiness) -> None:
        scene.lag.is_here = True
        if state.is_ready:
            stop.set()

    async with asyncio.timeout(10):
        await watch.run(stop, on_ready)


class Unreadable(MemoryLag):
    """A log whose waiting records cannot be read for a while, though it says how many there are."""

    is_read = True

    async def measure(self) -> Sequence[Lag]:
        lags = await super().measure()
        return lags if self.is_read else [lag._replace(oldest=None, newest=None) for lag in lags]


async def test_frames_that_wait_and_cannot_be_read_just_now_do_not_make_the_store_seem_complete() -> None:
    scene = Scene()
    lag = Unreadable(scene.log)
    scene.watch = Watch(replace(scene.ports, lag=lag), RULES, scene.standing)
    await scene.log.append(ADMISSIONS, value(Kind.ADMISSION))
    scene.clock.advance(61)
    assert (await scene.state()).reason is Unready.BEHIND
    lag.is_read = False
    scene.clock.advance(10)
    assert (await scene.state()).reason is Unready.BEHIND
    assert (scene.meter.lag_frames, scene.meter.lag_seconds) == (1, 71.0)
    (told,) = [it for it in scene.store.progress if it.kind is Kind.ADMISSION]
    assert told.oldest_microseconds == NOW_MICROSECONDS


async def test_frames_that_could_never_be_read_came_after_the_store_had_everything() -> None:
    scene = Scene()
    lag = Unreadable(scene.log)
    scene.watch = Watch(replace(scene.ports, lag=lag), RULES, scene.standing)
    await scene.log.append(ADMISSIONS, value(Kind.ADMISSION))
    scene.log.committed[ADMISSIONS] = 1
    assert (await scene.state()).is_ready
    lag.is_read = False
    await scene.log.append(ADMISSIONS, value(Kind.ADMISSION, first=4))
    scene.clock.advance(61)
    assert (await scene.state()).reason is Unready.BEHIND
