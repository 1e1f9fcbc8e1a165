"""How a load sends: users who wait, requests by a clock, bounds, and a stop, in virtual time."""

import asyncio
import itertools
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.cli.bench.arrivals import Arrivals
from services.cli.bench.exchange import INTERRUPTED, Exchange
from services.cli.bench.load import Bound, Closed, Load, Open
from services.cli.loading.driver import Driver
from services.cli.loading.orders import Order
from tests.virtual_time import run

ANY_RATE = Arrivals(1.0)


class Endpoint:
    """Answers each request after the seconds that are its turn's, and knows how many were under way."""

    def __init__(self, *seconds: float) -> None:
        self._seconds = itertools.cycle(seconds)
        self.in_flight = self.most_in_flight = 0

    def began(self) -> None:
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)

    def ended(self, exchange: Exchange) -> None:
        self.in_flight -= 1

    async def send(self, order: Order, scheduled_seconds: float) -> Exchange:
        loop = asyncio.get_running_loop()
        sent = loop.time()
        await asyncio.sleep(next(self._seconds))
        return Exchange(scheduled_seconds, sent, loop.time())


def orders() -> Iterator[Order]:
    return (Order(f"{number}", 1) for number in itertools.count())


def driven(
    endpoint: Endpoint,
    load: Load,
    bound: Bound,
    due: Iterator[float] | None = None,
    stop: Callable[[asyncio.Event], Coroutine[Any, Any, None]] | None = None,
) -> list[Exchange]:
    async def main() -> list[Exchange]:
        stopping = asyncio.Event()
        stopped = None if stop is None else asyncio.create_task(stop(stopping))
        driver = Driver(endpoint.send, endpoint, asyncio.get_running_loop().time, stopping)
        seen = await driver.run(load, orders(), bound, due)
        if stopped is not None:
            await stopped
        return seen

    return run(main())


def test_a_user_asks_again_as_soon_as_it_was_answered() -> None:
    seen = driven(Endpoint(1.0), Closed(2), Bound(6))
    assert sorted(one.sent_seconds for one in seen) == [0, 0, 1, 1, 2, 2]
    assert {one.send_late_seconds for one in seen} == {0.0}


@settings(max_examples=30)
@given(st.integers(1, 9), st.integers(1, 40), st.lists(st.floats(0, 3), min_size=1, max_size=5))
def test_a_closed_load_sends_so_many_with_never_more_than_its_users(
    users: int, requests: int, seconds: list[float]
) -> None:
    endpoint = Endpoint(*seconds)
    assert len(driven(endpoint, Closed(users), Bound(requests))) == requests
    assert endpoint.most_in_flight <= users
    assert endpoint.in_flight == 0


def test_after_its_time_nothing_begins_and_what_began_is_waited_for() -> None:
    seen = driven(Endpoint(0.4), Closed(1), Bound(None, 1.0))
    assert [one.sent_seconds for one in seen] == pytest.approx([0, 0.4, 0.8])
    assert seen[-1].ended_seconds == pytest.approx(1.2)


def test_an_open_load_sends_when_due_whatever_the_endpoint_does() -> None:
    due = iter((0.5, 0.6, 0.7, 5.0))
    seen = driven(Endpoint(10.0), Open(ANY_RATE), Bound(4), due)
    assert [one.sent_seconds for one in seen] == pytest.approx([0.5, 0.6, 0.7, 5.0])
    assert {one.send_late_seconds for one in seen} == {0.0}


def test_a_stall_is_in_the_latency_of_every_request_that_it_kept_from_being_sent() -> None:
    # One place, an answer of 10 s, then some of 0.1 s: a client that waited would call one of them slow.
    endpoint = Endpoint(10.0, *([0.1] * 4))
    seen = driven(endpoint, Open(ANY_RATE, most_in_flight=1), Bound(5), iter((0.0, 1.0, 2.0, 3.0, 4.0)))
    assert [one.e2e_seconds for one in seen] == pytest.approx([10.0, 9.1, 8.2, 7.3, 6.4])
    assert endpoint.most_in_flight == 1


def test_an_open_load_ends_with_its_trace_or_its_time() -> None:
    assert len(driven(Endpoint(0.1), Open(None), Bound(None), iter((0.1, 0.2)))) == 2
    assert len(driven(Endpoint(0.1), Open(None), Bound(None, 0.15), iter((0.1, 0.2)))) == 1


@pytest.mark.parametrize("load", [Closed(3), Open(ANY_RATE)])
def test_a_stop_keeps_what_ended_and_names_what_did_not(load: Load) -> None:
    async def stop(stopping: asyncio.Event) -> None:
        await asyncio.sleep(2.5)
        stopping.set()

    endpoint = Endpoint(1.0)
    seen = driven(endpoint, load, Bound(1000), iter(number / 3 for number in range(1000)), stop)
    ended = [one for one in seen if not one.failure]
    assert len(ended) in {5, 6}
    assert {one.failure for one in seen} == {"", INTERRUPTED}
    assert all(one.ended_seconds == pytest.approx(2.5) for one in seen if one.failure)
    assert endpoint.in_flight == 0


def test_what_is_stopped_before_it_begins_sends_nothing() -> None:
    async def main() -> list[Exchange]:
        stopping, endpoint = asyncio.Event(), Endpoint(1.0)
        stopping.set()
        driver = Driver(endpoint.send, endpoint, asyncio.get_running_loop().time, stopping)
        return await driver.run(Closed(1), orders(), Bound(5))

    assert run(main()) == []


def test_a_fault_of_the_program_is_not_swallowed() -> None:
    class Broken(Endpoint):
        async def send(self, order: Order, scheduled_seconds: float) -> Exchange:
            raise ZeroDivisionError

    with pytest.raises(ExceptionGroup) as raised:
        driven(Broken(1.0), Closed(2), Bound(5))
    assert isinstance(raised.value.exceptions[0], ZeroDivisionError)


@pytest.mark.parametrize("turns", range(6))
def test_a_stop_in_the_turn_in_which_a_request_is_due_counts_it_as_interrupted(turns: int) -> None:
    """Whatever comes first then, each order that was taken is told once, and none is still under way."""
    taken = []

    def counted() -> Iterator[Order]:
        for order in orders():
            taken.append(order)
            yield order

    class Counting(Endpoint):
        told = 0

        def ended(self, exchange: Exchange) -> None:
            super().ended(exchange)
            self.told += 1

    async def main() -> list[Exchange]:
        stopping = asyncio.Event()
        driver = Driver(endpoint.send, endpoint, asyncio.get_running_loop().time, stopping)
        work = asyncio.create_task(driver.run(Open(ANY_RATE), counted(), Bound(5), iter([0.0] * 5)))
        for _ in range(turns):
            await asyncio.sleep(0)
        stopping.set()
        return await work

    endpoint = Counting(1.0)
    seen = run(main())
    assert {one.failure for one in seen} <= {INTERRUPTED}
    assert endpoint.in_flight == 0
    assert len(seen) == endpoint.told
    # One that was taken and is not due yet, or that finds no room, was never sent.
    assert len(taken) - 1 <= len(seen) <= len(taken)
