import asyncio
import threading
from contextlib import AsyncExitStack, ExitStack

import pytest

from deploy.local.clickhouse.domain.errors import StoreError
from deploy.local.clickhouse.domain.limits import FrontLimits
from deploy.local.clickhouse.server.places import Places


def limits(*, max_wait_seconds: float) -> FrontLimits:
    return FrontLimits(max_concurrent_queries=1, max_waiting_queries=2, max_wait_seconds=max_wait_seconds)


async def test_more_than_run_and_wait_are_refused_with_the_bounds() -> None:
    places = Places("max_concurrent_queries", limits(max_wait_seconds=5.0))
    with ExitStack() as stack:
        for _ in range(3):
            stack.enter_context(places.admission())
        with pytest.raises(StoreError) as raised, places.admission():
            raise AssertionError
        assert raised.value.code == 202
        assert "max_concurrent_queries = 1" in raised.value.message
        assert "max_waiting_queries = 2" in raised.value.message
    with places.admission():
        pass
    places.close()


async def test_a_wait_for_a_place_ends_and_says_when() -> None:
    places = Places("max_concurrent_queries", limits(max_wait_seconds=0.01))
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(places.place())
        with pytest.raises(StoreError) as raised:
            await stack.enter_async_context(places.place())
    assert raised.value.code == 202
    assert "max_wait_seconds = 0.01" in raised.value.message
    async with places.place():
        pass
    places.close()


async def test_what_a_client_sent_is_read_while_every_query_runs() -> None:
    places = Places("max_concurrent_queries", limits(max_wait_seconds=5.0))
    ended = threading.Event()
    running = asyncio.ensure_future(places.call(ended.wait, 5.0))
    assert await places.read(len, b"abc") == 3
    ended.set()
    assert await running
    places.close()
