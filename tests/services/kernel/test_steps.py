"""Long work gives way between its steps, and is the same work at once."""

import asyncio
import itertools

import pytest

from services.kernel.steps import Steps, finished, in_turns


def counted(done: list[int], to: int) -> Steps[int]:
    for number in range(to):
        done.append(number)
        yield
    return to


def failing() -> Steps[None]:
    yield
    raise ValueError("a defect")


async def test_the_result_is_that_of_all_steps_at_once_or_in_turns() -> None:
    assert finished(counted([], 3)) == 3
    assert await in_turns(counted([], 3)) == 3
    with pytest.raises(ValueError, match="a defect"):
        finished(failing())
    with pytest.raises(ValueError, match="a defect"):
        await in_turns(failing())


async def test_others_have_their_turn_between_any_two_steps() -> None:
    done: list[int] = []
    seen: list[int] = []
    work = asyncio.create_task(in_turns(counted(done, 50)))
    while not work.done():
        seen.append(len(done))
        await asyncio.sleep(0)
    assert {after - before for before, after in itertools.pairwise(seen)} <= {0, 1}
    assert seen[-1] == 50
