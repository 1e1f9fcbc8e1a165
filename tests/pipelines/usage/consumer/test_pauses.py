"""A wrong clock, a newer program, a wrong setting: the pipeline waits, says so, and loses nothing."""

import pytest
from structlog.testing import capture_logs

from pipelines.usage.domain.errors import BadFrameError, Fault
from services.contract.events import Kind
from services.kernel.clock import ManualClock
from services.kernel.readiness import Figure, Unready
from tests.pipelines.usage.frames import (
    DAY_MICROSECONDS,
    NOW_MICROSECONDS,
    PRODUCER,
    body,
    event,
    pack,
    value,
)
from tests.pipelines.usage.world import ADMISSIONS, GENERATIONS, World, interfere_with

DAYS = {"a day slow": -1, "40 days fast": 40}


def admissions(frames: int, *, first: int = 1) -> list[bytes]:
    return [value(Kind.ADMISSION, first=n) for n in range(first, first + 3 * frames, 3)]


def newer(first: int) -> bytes:
    """A frame of schema version 2."""
    events = [event(Kind.GENERATION, n, schema_version=2) for n in range(first, first + 3)]
    return pack(Kind.GENERATION, body(Kind.GENERATION, events), count=3, first=first, schema_version=2)


def rows(count: int) -> list[tuple[int, int]]:
    return [(PRODUCER, n) for n in range(1, count + 1)]


async def cure_and_consume(world: World, *clocks: ManualClock) -> None:
    for clock in clocks:
        clock.set_wall(NOW_MICROSECONDS)
    await world.consume()


@pytest.mark.parametrize("days", DAYS.values(), ids=DAYS)
@pytest.mark.parametrize("is_store_wrong_too", [False, True], ids=["pipeline", "pipeline and store"])
async def test_a_wrong_clock_loses_no_event_and_once_it_is_right_all_are_stored_once(
    days: int, is_store_wrong_too: bool
) -> None:
    world = World()
    wrong = [world.clock, *([world.stores_clock] if is_store_wrong_too else [])]
    for clock in wrong:
        clock.set_wall(NOW_MICROSECONDS + days * DAY_MICROSECONDS)
    await world.log.append(ADMISSIONS, *admissions(20))
    await world.log.append(GENERATIONS[0], *(value(first=n) for n in range(1, 61, 3)))
    await world.consume()
    assert not world.log.committed
    assert await world.store.rows(Kind.ADMISSION) == []
    assert world.readiness.reason is (Unready.CLOCK_BEHIND if days < 0 else Unready.CLOCK_AHEAD)
    assert abs(world.readiness.figures[Figure.OFFSET_SECONDS] - abs(days) * 86_400) < 60
    await cure_and_consume(world, *wrong)
    for kind in (Kind.ADMISSION, Kind.GENERATION):
        assert await world.store.rows(kind) == rows(60)
    assert await world.letters() == {}
    assert world.log.committed == {ADMISSIONS: 20, GENERATIONS[0]: 20}
    assert world.readiness.is_ready


async def test_a_store_whose_clock_is_40_days_fast_is_given_nothing_to_drop() -> None:
    world = World()
    world.stores_clock.set_wall(NOW_MICROSECONDS + 40 * DAY_MICROSECONDS)
    await world.log.append(ADMISSIONS, *admissions(3))
    await world.consume()
    assert await world.store.rows(Kind.ADMISSION) == []
    assert world.readiness.reason is Unready.STORE_CLOCK_WRONG
    await cure_and_consume(world, world.stores_clock)
    assert await world.store.rows(Kind.ADMISSION) == rows(9)


async def test_frames_of_a_newer_schema_wait_for_the_upgrade_and_other_partitions_go_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World()
    world.empty_polls, world.seconds_per_poll = 5, 1.0
    mixed = [value(first=first) if first % 2 else newer(first) for first in range(4, 64, 3)]
    await world.log.append(GENERATIONS[0], value(), *mixed)
    await world.log.append(GENERATIONS[1], *(value(first=n, producer_id=9) for n in range(1, 61, 3)))
    await world.log.append(ADMISSIONS, *admissions(20))
    with capture_logs() as lines:
        await world.consume(dead_letters_in_a_row=0)
    assert await world.letters() == {}
    assert world.log.committed == {GENERATIONS[0]: 1, GENERATIONS[1]: 20, ADMISSIONS: 20}
    assert world.readiness.reason is Unready.SCHEMA_VERSION_UNKNOWN
    figures = world.readiness.figures
    assert (figures[Figure.VERSION], figures[Figure.KNOWN_VERSION]) == (2, 1)
    assert (figures[Figure.KIND], figures[Figure.PARTITION], figures[Figure.OFFSET]) == (2, 0, 1)
    assert world.meter.paused_partitions == 1
    (said,) = [line for line in lines if line["event"] == "paused"]
    assert (said["reason"], said["version"], said["known_version"]) == ("schema_version_unknown", 2, 1)
    assert (said["topic"], said["partition"], said["offset"]) == (*GENERATIONS[0], 1)
    monkeypatch.setattr("services.contract.frame.SCHEMA_VERSIONS", {1, 2})
    await world.consume()
    assert world.readiness.is_ready
    assert world.log.committed[GENERATIONS[0]] == 21
    assert await world.store.rows(Kind.GENERATION) == [*((9, n) for n in range(1, 61)), *rows(63)]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (value(region=9), Unready.REGION_WRONG),
        (value(priority=256), Unready.VALUE_OUT_OF_BOUNDS),
        (value(outcome=99), Unready.VALUE_OUT_OF_BOUNDS),
        (pack(9, b"x", count=1), Unready.KIND_UNKNOWN),
        (pack(2, b"x", count=1, version=2), Unready.HEADER_VERSION_UNKNOWN),
        (
            value(started_at_microseconds=NOW_MICROSECONDS + 2 * DAY_MICROSECONDS),
            Unready.STARTED_IN_THE_FUTURE,
        ),
        (value(started_at_microseconds=NOW_MICROSECONDS - 40 * DAY_MICROSECONDS), Unready.EXPIRED_ON_ARRIVAL),
    ],
    ids=lambda it: it.name.lower() if isinstance(it, Unready) else "",
)
async def test_what_is_whole_and_cannot_be_stored_now_waits_and_is_said(
    content: bytes, reason: Unready
) -> None:
    world = World()
    await world.log.append(GENERATIONS[0], value(), content, value(first=4))
    await world.consume()
    assert await world.letters() == {}
    assert world.log.committed == {GENERATIONS[0]: 1}
    assert world.readiness.reason is reason
    assert {it.pause for it in world.store.progress if it.kind is Kind.GENERATION} == {Fault[reason.name]}


@pytest.mark.parametrize("code", [16, 47, 469, 691])
async def test_events_that_the_store_refuses_wait_until_its_tables_are_this_builds(code: int) -> None:
    world = World()
    await world.log.append(ADMISSIONS, *admissions(3))
    world.interfere = interfere_with("insert", 1, lambda: BadFrameError(Fault.STORE_REFUSED, store_code=code))
    await world.consume()
    assert world.readiness.reason is Unready.STORE_REFUSED
    assert world.readiness.figures[Figure.CLICKHOUSE_CODE] == code
    assert world.log.committed == {}
    await world.consume()
    assert await world.store.rows(Kind.ADMISSION) == rows(9)


async def test_a_pause_ends_by_itself_when_its_cause_does() -> None:
    world = World()
    ahead = NOW_MICROSECONDS + 3_600_000_000 + 60_000_000
    await world.log.append(ADMISSIONS, value(Kind.ADMISSION, started_at_microseconds=ahead))
    await world.consume()
    assert world.readiness.reason is Unready.STARTED_IN_THE_FUTURE
    world.empty_polls, world.seconds_per_poll = 40, 3.0
    with capture_logs() as lines:
        await world.consume()
    assert await world.store.rows(Kind.ADMISSION) == rows(3)
    assert world.readiness.is_ready
    said = [line["event"] for line in lines if line["event"] in {"paused", "resumed"}]
    assert said == ["paused", "resumed"]


async def test_what_a_person_gives_up_becomes_a_dead_letter_and_the_rest_is_stored() -> None:
    world = World()
    topic = GENERATIONS[0].topic
    await world.log.append(GENERATIONS[0], value(), newer(4), newer(7), value(first=10))
    await world.consume(given_up=(f"{topic}:0:1",), dead_letters_in_a_row=0)
    assert await world.letters() == {(topic, 0, 1): "schema_version_unknown"}
    assert world.readiness.figures[Figure.OFFSET] == 2
    await world.consume(given_up=(f"{topic}:0:1-2",), dead_letters_in_a_row=0)
    assert world.log.committed == {GENERATIONS[0]: 4}
    assert world.readiness.is_ready


async def test_what_a_person_gave_up_is_stored_all_the_same_if_it_can_be() -> None:
    world = World()
    await world.log.append(GENERATIONS[0], value())
    await world.consume(given_up=(f"{GENERATIONS[0].topic}:0:0-9",))
    assert await world.letters() == {}
    assert await world.store.rows(Kind.GENERATION) == rows(3)
