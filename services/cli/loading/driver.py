"""Sends requests as a level of load asks, closed or open, until its bound or until somebody stops it."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from typing import Protocol

from services.cli.bench.exchange import INTERRUPTED, Exchange
from services.cli.bench.load import Bound, Closed, Load, Open
from services.cli.loading.orders import Order
from services.cli.loading.places import Places

Now = Callable[[], float]


class Send(Protocol):
    """Sends one request that was due then, and returns what was seen; raises nothing but its cancellation."""

    def __call__(self, order: Order, scheduled_seconds: float) -> Awaitable[Exchange]:
        """Returns once the answer ended, well or not."""
        ...


class Watch(Protocol):
    """Who is told as requests begin and end."""

    def began(self) -> None:
        """One more is under way."""
        ...

    def ended(self, exchange: Exchange) -> None:
        """One ended so."""
        ...


class Driver:
    """One run; `orders` and `due` are asked for before a request is due, so that their cost is no latency."""

    def __init__(self, send: Send, watch: Watch, now: Now, stopping: asyncio.Event) -> None:
        self._send = send
        self._watch = watch
        self._now = now
        self._stopping = stopping
        self._seen: list[Exchange] = []

    async def run(
        self,
        load: Load,
        orders: Iterator[Order],
        bound: Bound,
        due: Iterator[float] | None = None,
        begin_seconds: float | None = None,
    ) -> list[Exchange]:
        """Returns what was seen of every request, in the order of ends; a stop cancels those in flight.

        It begins at that moment, or now, and ends where orders do.
        """
        if self._stopping.is_set():
            return self._seen
        begin = self._now() if begin_seconds is None else begin_seconds
        work = asyncio.ensure_future(self._work(load, orders, bound, due, begin))
        stop = asyncio.ensure_future(self._stopping.wait())
        try:
            await asyncio.wait((work, stop), return_when=asyncio.FIRST_COMPLETED)
        finally:
            stop.cancel()
            if not work.done():
                work.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await work
        return self._seen

    async def _work(
        self, load: Load, orders: Iterator[Order], bound: Bound, due: Iterator[float] | None, begin: float
    ) -> None:
        await asyncio.sleep(max(0.0, begin - self._now()))
        if isinstance(load, Closed):
            await self._closed(load, orders, bound, begin)
        else:
            await self._open(load, orders, bound, due or iter(()), begin)

    async def _closed(self, load: Closed, orders: Iterator[Order], bound: Bound, begin: float) -> None:
        left = iter(range(bound.requests)) if bound.requests is not None else iter(int, 1)

        async def user() -> None:
            for _ in left:
                if bound.seconds is not None and self._now() - begin >= bound.seconds:
                    return
                # An iterator that ended is asked by each user once, and says the same to all.
                if (order := next(orders, None)) is None:
                    return
                await self._one(order, self._now())

        async with asyncio.TaskGroup() as users:
            for _ in range(load.users):
                users.create_task(user())

    async def _open(
        self, load: Open, orders: Iterator[Order], bound: Bound, due: Iterator[float], begin: float
    ) -> None:
        places = Places(load.most_in_flight, self._now)
        async with asyncio.TaskGroup() as requests:
            for number, offset in enumerate(due):
                is_over = bound.seconds is not None and offset >= bound.seconds
                if is_over or (bound.requests is not None and number >= bound.requests):
                    return
                if (order := next(orders, None)) is None:
                    return
                scheduled = begin + offset
                await asyncio.sleep(max(0.0, scheduled - self._now()))
                held = await places.take(scheduled)
                request = requests.create_task(self._one(order, scheduled, held))
                request.add_done_callback(lambda _: places.give())

    async def _one(self, order: Order, scheduled: float, held: float = 0.0) -> None:
        self._watch.began()
        sent = self._now()
        try:
            exchange = await self._send(order, scheduled)
        except asyncio.CancelledError:
            self._note(Exchange(scheduled, sent, self._now(), failure=INTERRUPTED, held_seconds=held))
            raise
        self._note(replace(exchange, held_seconds=held) if held else exchange)

    def _note(self, exchange: Exchange) -> None:
        self._seen.append(exchange)
        self._watch.ended(exchange)
