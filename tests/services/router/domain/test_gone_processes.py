from collections.abc import Callable, Sequence

import pytest

from services.kernel.errors import ComptoirError, Reason
from services.router.domain.gone_processes import ALONE, HEARD_SECONDS, GoneProcesses
from services.router.domain.lease import Process
from tests.fakes.router import IDLE, LIMITS, AdmissionWorld

GONE = Process(7, 5)


class Others:
    """What the other routers hear, and what they are told."""

    def __init__(self) -> None:
        self.heard: set[Process] = set()
        self.told: list[list[Process]] = []
        self.is_away = False
        # What happens while one is asked for.
        self.meanwhile: Callable[[], object] | None = None

    async def hear(self, processes: Sequence[Process]) -> None:
        if self.is_away:
            raise ComptoirError(Reason.QUOTA_UNAVAILABLE)
        self.told.append(sorted(processes))

    async def is_heard_elsewhere(self, process: Process) -> bool:
        if self.is_away:
            raise ComptoirError(Reason.QUOTA_UNAVAILABLE)
        if self.meanwhile is not None:
            self.meanwhile()
        return process in self.heard


@pytest.fixture
def world() -> AdmissionWorld:
    world = AdmissionWorld()
    world.add_replica(7, incarnation=5)
    world.add_replica(8, incarnation=5)
    return world


@pytest.fixture
def others() -> Others:
    return Others()


@pytest.fixture
def gone(world: AdmissionWorld, others: Others) -> GoneProcesses:
    return GoneProcesses(world.replicas, others, world.clock, LIMITS)


def leave(world: AdmissionWorld) -> None:
    world.replicas.leave(world.sessions[7], world.clock.monotonic_seconds())
    world.clock.advance(LIMITS.replica_return_seconds)
    world.replicas.report(world.sessions[8], IDLE, world.clock.monotonic_seconds())


async def found(gone: GoneProcesses) -> list[Process]:
    return [process async for process in gone.find()]


async def test_a_process_that_nobody_hears_is_gone_until_it_is_given_up(
    world: AdmissionWorld, gone: GoneProcesses
) -> None:
    leave(world)
    assert [await found(gone), await found(gone)] == [[GONE], [GONE]]
    gone.give_up(GONE)
    assert await found(gone) == []


async def test_a_process_that_another_router_hears_is_not_gone_before_that_one_loses_it_too(
    world: AdmissionWorld, gone: GoneProcesses, others: Others
) -> None:
    others.heard = {GONE}
    leave(world)
    assert await found(gone) == []
    others.heard = set()
    assert await found(gone) == [GONE]


async def test_a_process_that_is_back_is_lost_no_more(
    world: AdmissionWorld, gone: GoneProcesses, others: Others
) -> None:
    others.heard = {GONE}
    leave(world)
    assert await found(gone) == []
    world.add_replica(7, incarnation=5)
    others.heard = set()
    assert await found(gone) == []


async def test_a_process_that_comes_back_while_the_others_are_asked_is_not_gone(
    world: AdmissionWorld, gone: GoneProcesses, others: Others
) -> None:
    leave(world)
    others.meanwhile = lambda: world.add_replica(7, incarnation=5)
    assert await found(gone) == []
    others.meanwhile = None
    assert await found(gone) == []


async def test_one_that_comes_back_while_another_one_is_given_up_is_not_gone(
    world: AdmissionWorld, gone: GoneProcesses
) -> None:
    for number in (7, 8):
        world.replicas.leave(world.sessions[number], world.clock.monotonic_seconds())
    world.clock.advance(LIMITS.replica_return_seconds)
    given_up = []
    async for process in gone.find():
        given_up.append(process)
        world.add_replica(8, incarnation=5)
    assert given_up == [GONE]


async def test_a_store_that_was_away_is_believed_once_the_others_had_time_to_say_whom_they_hear(
    world: AdmissionWorld, gone: GoneProcesses, others: Others
) -> None:
    """It says that nobody hears a process, where it has forgotten, or not been told, who does."""
    leave(world)
    others.is_away = True
    with pytest.raises(ComptoirError):
        await found(gone)
    with pytest.raises(ComptoirError):
        await gone.tell()
    others.is_away = False
    assert await found(gone) == []
    world.clock.advance(HEARD_SECONDS - 0.1)
    assert await found(gone) == []
    world.clock.advance(0.1)
    assert await found(gone) == [GONE]


async def test_others_are_told_of_those_that_have_spoken_lately(
    world: AdmissionWorld, gone: GoneProcesses, others: Others
) -> None:
    await gone.tell()
    world.clock.advance(LIMITS.report_timeout_seconds + 0.1)
    world.replicas.report(world.sessions[8], IDLE, world.clock.monotonic_seconds())
    await gone.tell()
    assert others.told == [[GONE, Process(8, 5)], [Process(8, 5)]]


async def test_a_router_that_is_alone_asks_nobody() -> None:
    await ALONE.hear([GONE])
    assert not await ALONE.is_heard_elsewhere(GONE)
