"""Many viewers cost one question; what a source said stays while it is away."""

import asyncio

from services.console.domain.errors import SourceAwayError
from services.console.server.kept import Kept
from services.kernel.clock import ManualClock


class Source:
    """Answers with how often it was asked, once it is let go."""

    def __init__(self) -> None:
        self.asked = 0
        self.away = ""
        self.go = asyncio.Event()
        self.go.set()

    async def read(self) -> int:
        self.asked += 1
        await self.go.wait()
        if self.away:
            raise SourceAwayError(self.away)
        return self.asked


async def test_viewers_at_once_cost_one_question() -> None:
    source = Source()
    kept = Kept(source.read, ManualClock(), fresh_seconds=5)
    readings = await asyncio.gather(*(kept.reading(wait_seconds=30) for _ in range(50)))
    assert {reading.value for reading in readings} == {1}
    assert source.asked == 1


async def test_a_fresh_answer_is_not_asked_for_again() -> None:
    source, clock = Source(), ManualClock()
    kept = Kept(source.read, clock, fresh_seconds=5)
    await kept.reading(wait_seconds=30)
    clock.advance(4.9)
    assert (await kept.reading(wait_seconds=30)).value == 1
    clock.advance(0.2)
    assert (await kept.reading(wait_seconds=30)).value == 2


async def test_a_source_that_is_away_is_said_so_since_when_and_asked_no_more_often() -> None:
    source, clock = Source(), ManualClock()
    kept = Kept(source.read, clock, fresh_seconds=5)
    first = await kept.reading(wait_seconds=30)
    source.away = "gone"
    clock.advance(10)
    away = await kept.reading(wait_seconds=30)
    assert (away.value, away.why, away.taken_at_seconds) == (1, "gone", first.taken_at_seconds)
    await kept.reading(wait_seconds=30)
    assert source.asked == 2
    clock.advance(10)
    later = await kept.reading(wait_seconds=30)
    assert later.away_since_seconds == away.away_since_seconds
    source.away = ""
    clock.advance(10)
    assert not (await kept.reading(wait_seconds=30)).is_away


async def test_who_waits_no_longer_gets_the_reading_of_before_and_ends_no_question() -> None:
    source, clock = Source(), ManualClock()
    kept = Kept(source.read, clock, fresh_seconds=5)
    source.go.clear()
    assert (await kept.reading(wait_seconds=0)).value is None
    source.go.set()
    assert (await kept.reading(wait_seconds=30)).value == 1
    assert source.asked == 1


async def test_closing_ends_the_question_that_runs() -> None:
    source = Source()
    source.go.clear()
    kept = Kept(source.read, ManualClock(), fresh_seconds=5)
    await kept.reading(wait_seconds=0)
    await kept.close()
    await Kept(source.read, ManualClock(), fresh_seconds=5).close()


async def test_an_answer_that_cannot_be_read_is_said_and_not_shown_as_if_it_were_new() -> None:
    answers = iter((1, ValueError("secret")))

    async def read() -> int:
        answer = next(answers)
        if isinstance(answer, ValueError):
            raise answer
        return answer

    clock = ManualClock()
    kept = Kept(read, clock, fresh_seconds=5)
    await kept.reading(wait_seconds=30)
    clock.advance(10)
    reading = await kept.reading(wait_seconds=30)
    assert (reading.value, reading.is_away) == (1, True)
    assert "secret" not in reading.why
