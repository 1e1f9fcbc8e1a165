import asyncio

import pytest

from services.generator.domain.ports import EventRefusedError
from services.generator.domain.recording import UsageRecorder
from services.generator.domain.terminal_event import Counts, Ending, Outcome, TerminalEvent
from services.generator.domain.timeline import Timings
from services.kernel.errors import ComptoirError, Reason
from services.kernel.identity import Identity
from tests.services.generator.domain.test_ticket import CLAIMS
from tests.services.generator.running import RememberingSink

EVENT = TerminalEvent(
    event_id=Identity(1, 1),
    claims=CLAIMS,
    ending=Ending(Outcome.STOP),
    counts=Counts(1, 0, 1),
    timings=Timings(0, 0, 1, 0, 1),
    actual_kv_blocks=1,
    started_at_microseconds=1_790_000_000_000_000,
    is_streamed=True,
)


class Pauses:
    """Sleeps that end at once and are remembered."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)
        await asyncio.sleep(0)


class RefusingSink(RememberingSink):
    async def record(self, event: TerminalEvent) -> None:
        raise EventRefusedError


async def test_a_durable_event_is_durable_once() -> None:
    sink = RememberingSink()
    recorder = UsageRecorder(sink, max_unrecorded=5, sleep=Pauses())
    await recorder.record(EVENT)
    assert sink.events == [EVENT]
    assert await recorder.settled(1.0) == 0


async def test_an_event_is_tried_again_until_it_is_durable_and_its_caller_told_at_once() -> None:
    sink, pauses = RememberingSink(), Pauses()
    sink.failures = 3
    recorder = UsageRecorder(sink, max_unrecorded=5, sleep=pauses)
    with pytest.raises(ComptoirError) as error:
        await recorder.record(EVENT)
    assert error.value.reason is Reason.USAGE_NOT_RECORDED
    assert await recorder.settled(1.0) == 0
    assert sink.events == [EVENT]
    assert len(pauses.seconds) == 3


async def test_an_event_that_nobody_takes_for_long_is_kept_and_tried_ever_less_often() -> None:
    sink, pauses = RememberingSink(), Pauses()
    sink.failures = 7
    recorder = UsageRecorder(sink, max_unrecorded=5, sleep=pauses)
    recorder.record(EVENT)
    assert await recorder.settled(1.0) == 0
    assert sink.events == [EVENT]
    assert pauses.seconds == [1.0, 2.0, 4.0, 8.0, 8.0, 8.0, 8.0]


async def test_no_more_events_come_into_being_than_can_be_kept() -> None:
    sink = RememberingSink()
    sink.gate.clear()
    recorder = UsageRecorder(sink, max_unrecorded=2, sleep=Pauses())
    recorder.record(EVENT)
    assert not recorder.is_full
    recorder.record(EVENT)
    assert recorder.is_full
    sink.gate.set()
    assert await recorder.settled(1.0) == 0
    assert not recorder.is_full


async def test_an_event_that_the_sink_will_never_take_is_given_up_and_counted() -> None:
    recorder = UsageRecorder(RefusingSink(), max_unrecorded=5, sleep=Pauses())
    with pytest.raises(ComptoirError):
        await recorder.record(EVENT)
    assert await recorder.settled(1.0) == 0
    assert recorder.refused_events == 1


async def test_what_is_left_at_the_end_is_told_and_dropped() -> None:
    sink = RememberingSink()
    sink.gate.clear()
    recorder = UsageRecorder(sink, max_unrecorded=5, sleep=Pauses())
    waiting = recorder.record(EVENT)
    assert await recorder.settled(0.0) == 1
    recorder.give_up()
    assert await recorder.settled(1.0) == 0
    assert not waiting.done()


async def test_a_failing_rest_of_an_ending_is_counted_and_hurts_nobody() -> None:
    async def fail() -> None:
        raise ValueError

    recorder = UsageRecorder(RememberingSink(), max_unrecorded=5)
    recorder.finish(fail())
    assert await recorder.settled(1.0) == 0
    assert recorder.failed_endings == 1
