"""Beside an engine that computes, the others start one after the other, and never wait for long."""

import asyncio

from deploy.local.stack.plan import Probe, ProcessPlan
from deploy.local.stack.turns import Turns


def plan(*names: str, engine: bool = True) -> list[ProcessPlan]:
    return [
        ProcessPlan(name, name, (), Probe("file", name), fills_a_core=engine and name == "generator")
        for name in names
    ]


ALL = ("generator", "kafka", "store", "router", "edge")


class Starts:
    """Tasks that each take their turn, and who has started, in order."""

    def __init__(self, turns: Turns) -> None:
        self.turns = turns
        self.started: list[str] = []
        self._tasks = [asyncio.create_task(self._start(name)) for name in ALL]

    async def _start(self, name: str) -> None:
        await self.turns.take(name)
        self.started.append(name)

    async def settle(self) -> list[str]:
        for _ in range(20):
            await asyncio.sleep(0)
        return self.started

    async def all(self) -> list[str]:
        await asyncio.wait_for(asyncio.gather(*self._tasks), 5)
        return self.started


async def test_beside_an_engine_on_two_cores_one_starts_after_the_other() -> None:
    starts = Starts(Turns(plan(*ALL), cores=2, longest_seconds=60))
    assert await starts.settle() == ["generator", "kafka"]
    for count, name in enumerate(ALL[1:], start=3):
        starts.turns.give_back(name)
        starts.turns.give_back(name)
        assert await starts.settle() == list(ALL[:count])


async def test_on_many_cores_and_without_such_an_engine_all_start_at_once() -> None:
    assert await Starts(Turns(plan(*ALL), cores=8, longest_seconds=60)).settle() == list(ALL)
    assert await Starts(Turns(plan(*ALL, engine=False), cores=1, longest_seconds=60)).settle() == list(ALL)


async def test_on_one_core_somebody_starts_beside_the_engine() -> None:
    assert await Starts(Turns(plan(*ALL), cores=1, longest_seconds=60)).settle() == ["generator", "kafka"]


async def test_once_the_engine_has_started_nobody_waits() -> None:
    starts = Starts(Turns(plan(*ALL), cores=2, longest_seconds=60))
    await starts.settle()
    starts.turns.give_back("generator")
    assert await starts.settle() == list(ALL)


async def test_one_that_takes_long_holds_nobody_up_for_ever() -> None:
    assert await Starts(Turns(plan(*ALL), cores=2, longest_seconds=0.01)).all() == list(ALL)
