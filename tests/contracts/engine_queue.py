"""In which order an engine with the feature takes requests from its queue."""

import asyncio

from services.generator.domain.ports import Engine, Feature
from services.generator.domain.queueing import QueueOrder
from tests.contracts.engine_needs import needs
from tests.contracts.engine_requests import (
    BOUND_SECONDS,
    RUNNING_REQUESTS,
    answer,
    ask,
    chat,
    fill,
    holds,
    order_of_first_steps,
)


class QueueContract:
    """Run by every engine, as a part of its contract."""

    @needs(Feature.PRIORITY)
    async def test_a_lower_priority_number_overtakes_what_waits(self, engine: Engine) -> None:
        came = [("batch", 20), ("default", 10), ("interactive", 0)]
        assert await order_of_first_steps(engine, came) == ["interactive", "default", "batch"]

    @needs(Feature.PRIORITY)
    async def test_class_decides_among_requests_of_one_moment_and_age_among_the_others(
        self, engine: Engine
    ) -> None:
        queue = QueueOrder(default_yields_seconds=5, batch_yields_seconds=60)
        came = [
            ("batch at 0", queue.number(20, 0.0)),
            ("default at 0", queue.number(10, 0.0)),
            ("interactive at 0", queue.number(0, 0.0)),
            ("interactive at 6", queue.number(0, 6.0)),
            ("interactive at 59", queue.number(0, 59.0)),
            ("interactive at 61", queue.number(0, 61.0)),
        ]
        assert await order_of_first_steps(engine, came) == [
            "interactive at 0",
            "default at 0",
            "interactive at 6",
            "interactive at 59",
            "batch at 0",
            "interactive at 61",
        ]

    @needs(Feature.PRIORITY)
    async def test_a_flood_of_interactive_requests_leaves_batch_its_turn(self, engine: Engine) -> None:
        queue, callers = QueueOrder(default_yields_seconds=1, batch_yields_seconds=20), 3 * RUNNING_REQUESTS
        input_ids, running = await chat(engine), await fill(engine)
        batch = asyncio.create_task(answer(ask(engine, input_ids, tokens=1, priority=queue.number(20, 0.0))))
        await holds(engine, RUNNING_REQUESTS + 1)
        # One comes every second of the queue's time, for ten times as long as batch yields.
        arrivals = iter(range(200))

        async def call() -> None:
            for arrival in arrivals:
                if batch.done():
                    return
                await answer(ask(engine, input_ids, tokens=1, priority=queue.number(0, float(arrival))))

        async with asyncio.timeout(BOUND_SECONDS), asyncio.TaskGroup() as flood:
            for _ in range(callers):
                flood.create_task(call())
            await holds(engine, RUNNING_REQUESTS + 1 + callers)
            for steps in running:
                await steps.aclose()
        assert (await batch).output_tokens == 1
        assert next(arrivals) <= 20 + 2 * callers
