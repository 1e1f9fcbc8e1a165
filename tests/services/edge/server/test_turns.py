"""Of much work that is long the shortest is next, and none waits for ever."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from services.edge.server.turns import Turns


class Work:
    """Tasks that wait for their turn, and in which order they had it."""

    def __init__(self) -> None:
        self.turns = Turns()
        self.sizes: list[int] = []
        self.most_at_once = 0
        self._at_once = 0

    async def do(self, size: int) -> None:
        async with self.turns.turn(size):
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
            self.sizes.append(size)
            await asyncio.sleep(0)
            self._at_once -= 1

    def begin(self, sizes: list[int]) -> list[asyncio.Task[None]]:
        return [asyncio.create_task(self.do(size)) for size in sizes]


async def test_the_shortest_that_waits_is_next() -> None:
    work = Work()
    await asyncio.gather(*work.begin([9, 8, 3, 5]))
    assert work.sizes == [9, 3, 5, 8]


async def test_what_comes_when_as_much_was_done_as_long_work_is_long_passes_it_no_more() -> None:
    work = Work()
    first, long = work.begin([1, 20])
    for _ in range(200):
        if long.done():
            break
        # They come twice as fast as they are done, so that always some wait.
        work.begin([1])
        await asyncio.sleep(0)
    await asyncio.gather(first, long)
    assert work.sizes.index(20) <= 2 * 20


@given(st.lists(st.tuples(st.integers(1, 9), st.integers(0, 12)), max_size=8))
def test_who_leaves_at_any_time_takes_nobody_s_turn(work_and_leaving: list[tuple[int, int]]) -> None:
    async def run() -> None:
        work = Work()
        tasks = work.begin([size for size, _ in work_and_leaving])
        for now in range(10):
            for task, (_, leaves_at) in zip(tasks, work_and_leaving, strict=True):
                if leaves_at == now:
                    task.cancel()
            await asyncio.sleep(0)
        await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 5)
        assert all(task.cancelled() for task, (_, at) in zip(tasks, work_and_leaving, strict=True) if at == 0)
        await asyncio.wait_for(work.do(1), 5)
        assert work.sizes[-1] == 1

    asyncio.run(run())
