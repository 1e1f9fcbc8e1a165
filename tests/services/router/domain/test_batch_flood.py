"""However many batch requests wait, interactive ones have their places, and batch has the rest."""

import asyncio
import math
from typing import Final

from services.kernel.errors import ComptoirError
from services.router.domain.place_turns import Asker
from services.router.domain.tenancy import Priority
from tests import virtual_time
from tests.services.router.domain.waiting_pool import Pool

# Eight requests at a time, of four seconds each: two a second.
PLACES: Final = 8
GENERATION_SECONDS: Final = 4.0
SECONDS: Final = 120


class Flood:
    """Replicas that are full of batch requests, more of which come all the time."""

    def __init__(self) -> None:
        self.pool = Pool(place_wait_seconds=0.1, held_requests=512)
        self.pool.free_places = PLACES
        self.served = {Priority.INTERACTIVE: 0, Priority.BATCH: 0}
        self.refused = 0
        self.tasks = set[asyncio.Task[None]]()

    def send(self, number: int, priority: Priority) -> None:
        task = asyncio.create_task(self._request(number, priority))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def _request(self, number: int, priority: Priority) -> None:
        try:
            await self._place(number, priority)
        except ComptoirError:
            self.refused += priority is Priority.INTERACTIVE
            return
        self.served[priority] += 1
        await asyncio.sleep(GENERATION_SECONDS)
        self.pool.free_places = (self.pool.free_places or 0) + 1
        self.pool.lines.free(1)

    async def _place(self, number: int, priority: Priority) -> None:
        asker = Asker(1, number % 4, int(priority), 128, lambda: math.inf)
        attempt = self.pool.attempt(number, number % 4, 1, is_batch=priority is Priority.BATCH)
        before = self.pool.lines.before(asker)
        refusal = None if before is None else before.refusal
        if refusal is None:
            try:
                await attempt()
            except ComptoirError as refused:
                refusal = refused
            else:
                return
        await self.pool.lines.wait(asker, refusal, attempt)

    async def run(self, interactive_every_seconds: float) -> None:
        """Keeps the line full of batch, and sends an interactive request from time to time."""

        async def send_batch() -> None:
            for number in range(SECONDS * 10):
                for more in range(max(0, 130 - self.pool.lines.waiting)):
                    self.send(number + more, Priority.BATCH)
                await asyncio.sleep(0.1)

        async def send_interactive() -> None:
            for number in range(int(SECONDS / interactive_every_seconds)):
                self.send(number, Priority.INTERACTIVE)
                await asyncio.sleep(interactive_every_seconds)

        await asyncio.gather(send_batch(), send_interactive())
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)


def flooded(interactive_every_seconds: float) -> Flood:
    flood = Flood()
    virtual_time.run(flood.run(interactive_every_seconds))
    return flood


def test_interactive_requests_that_fit_are_served_whatever_batch_waits() -> None:
    flood = flooded(1.0)
    assert flood.refused == 0
    assert flood.served[Priority.BATCH] > 0.9 * SECONDS


def test_batch_has_a_place_now_and_then_where_interactive_requests_take_all() -> None:
    flood = flooded(0.4)
    assert flood.refused < 0.35 * SECONDS / 0.4
    assert flood.served[Priority.BATCH] >= PLACES + 3
