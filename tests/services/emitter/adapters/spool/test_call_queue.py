import asyncio
import threading
from collections.abc import Iterator

import pytest

from services.contract.events import Kind
from services.emitter.adapters.spool.call_queue import Call, CallQueue, until_awaited
from services.emitter.domain.spacing import AWAITED_SECONDS, SPACING_SECONDS
from tests.contracts.spool import NumberedEvent

TEXT_WAITS, NOBODY_WAITS = Kind.ADMISSION, Kind.GENERATION


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()


class Writer:
    """The thread that takes calls, and whether each of its pauses would end at once."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.queue = CallQueue(lambda is_awaited, _: self.are_short.append(is_awaited.is_set()))
        self.are_short = list[bool]()

    def put(self, *kinds: Kind, size_bytes: int = 60) -> None:
        for number, kind in enumerate(kinds, 1):
            event = NumberedEvent(number, kind, size_bytes)
            self.queue.put(Call(lambda: None, self.loop.create_future(), [event]))

    def take(self) -> list[Kind]:
        return [event.kind for call in self.queue.take().calls for event in call.events]

    def pauses_briefly(self) -> bool:
        self.queue.pause(SPACING_SECONDS)
        return self.are_short.pop()


@pytest.fixture
def writer(loop: asyncio.AbstractEventLoop) -> Writer:
    return Writer(loop)


def test_what_no_text_waits_for_is_gathered_for_the_whole_pause(writer: Writer) -> None:
    writer.put(NOBODY_WAITS)
    writer.take()
    writer.put(NOBODY_WAITS, NOBODY_WAITS)
    assert not writer.pauses_briefly()
    assert writer.take() == [NOBODY_WAITS, NOBODY_WAITS]


def test_a_call_that_a_text_waits_for_ends_the_pause_and_takes_those_before_it_along(writer: Writer) -> None:
    writer.put(NOBODY_WAITS)
    writer.take()
    writer.put(NOBODY_WAITS, TEXT_WAITS)
    assert writer.pauses_briefly()
    assert writer.take() == [NOBODY_WAITS, TEXT_WAITS]
    assert not writer.pauses_briefly()


def test_a_call_that_a_text_waits_for_and_that_did_not_fit_ends_the_pause(writer: Writer) -> None:
    writer.put(NOBODY_WAITS, TEXT_WAITS, size_bytes=256 * 1024)
    assert writer.take() == [NOBODY_WAITS]
    assert writer.pauses_briefly()
    assert writer.take() == [TEXT_WAITS]


def test_a_call_that_comes_during_the_pause_ends_it(loop: asyncio.AbstractEventLoop) -> None:
    began, was_ended = threading.Event(), list[bool]()

    def pause(is_awaited: threading.Event, _: float) -> None:
        began.set()
        was_ended.append(is_awaited.wait(5))

    queue = CallQueue(pause)
    pausing = threading.Thread(target=queue.pause, args=[SPACING_SECONDS])
    pausing.start()
    assert began.wait(5)
    queue.put(Call(lambda: None, loop.create_future(), [NumberedEvent(1, TEXT_WAITS)]))
    pausing.join(5)
    assert was_ended == [True]


def test_calls_before_the_end_are_taken_with_it(writer: Writer) -> None:
    writer.put(NOBODY_WAITS)
    writer.queue.end()
    calls, is_last = writer.queue.take()
    assert (len(calls), is_last) == (1, True)


@pytest.mark.parametrize(
    ("seconds", "slept"), [(SPACING_SECONDS, AWAITED_SECONDS), (AWAITED_SECONDS / 4, AWAITED_SECONDS / 4)]
)
def test_a_pause_that_is_ended_goes_on_for_a_moment_and_never_beyond_its_time(
    seconds: float, slept: float
) -> None:
    is_awaited, pauses = threading.Event(), list[float]()
    is_awaited.set()
    until_awaited(is_awaited, seconds, sleep=pauses.append)
    assert pauses == [slept]
