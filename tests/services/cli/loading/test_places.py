"""Places in flight: who waited for one, and how much of that was not the sender's."""

import asyncio

from services.cli.loading.places import Places
from tests.virtual_time import run


def held(most: int, due: list[float], seconds: float) -> list[float]:
    async def main() -> list[float]:
        loop = asyncio.get_running_loop()
        places = Places(most, loop.time)
        found = []
        for at in due:
            await asyncio.sleep(max(0.0, at - loop.time()))
            found.append(round(await places.take(at), 6))
            loop.call_later(seconds, places.give)
        await asyncio.sleep(seconds + 1)
        return found

    return run(main())


def test_who_finds_a_place_was_not_held() -> None:
    assert held(2, [0.0, 0.5, 2.0], 1.0) == [0.0, 0.0, 0.0]


def test_who_waits_was_held_from_when_it_was_due_to_when_a_place_came_back() -> None:
    assert held(1, [0.0, 1.0], 5.0) == [0.0, 4.0]


def test_who_was_due_behind_one_that_waited_was_held_too() -> None:
    assert held(2, [0.0, 0.0, 1.0, 2.0, 30.0], 10.0) == [0.0, 0.0, 9.0, 8.0, 0.0]
