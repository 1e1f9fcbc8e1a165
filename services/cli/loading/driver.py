"""Sends requests as a level of load asks, closed or open, until its bound or until somebody stops it."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from services.cli.bench.exchange import INTERRUPTED, Exchange
from services.cli.bench.load import Bound, Closed, Load, Open

Now = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Order:
    """What one request asks: a prompt, and how many tokens at most."""

    prompt: str
    output_tokens: int


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
        self, load: Load, orders: Iterator[Order], bound: Bound, due: Iterator[float] | None = None
    ) -> list[Exchange]:
        """Returns what was seen of every request, in the order of ends; a stop cancels those in flight."""
        if self._stopping.is_set():
            return self._seen
        work = asyncio.ensure_future(self._work(load, orders, bound, due))
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
        self, load: Load, orders: Iterator[Order], bound: Bound, due: Iterator[float] | None
    ) -> None:
        if isinstance(load, Closed):
            await self._closed(load, orders, bound)
        else:
            await self._open(load, orders, bound, due or iter(()))

    async def _closed(self, load: Closed, orders: Iterator[Order], bound: Bound) -> None:
        started = self._now()
        left = iter(range(bound.requests)) if bound.requests is not None else iter(int, 1)

        async def user() -> None:
            for _ in left:
                if bound.seconds is not None and self._now() - started >= bound.seconds:
                    return
                order = next(orders)
                await self._one(order, self._now())

        async with asyncio.TaskGroup() as users:
            for _ in range(load.users):
                users.create_task(user())

    async def _open(self, load: Open, orders: Iterator[Order], bound: Bound, due: Iterator[float]) -> None:
        started = self._now()
        room = asyncio.Semaphore(load.most_in_flight)
        async with asyncio.TaskGroup() as requests:
            for number, offset in enumerate(due):
                is_over = bound.seconds is not None and offset >= bound.seconds
                if is_over or (bound.requests is not None and number >= bound.requests):
                    return
                order, scheduled = next(orders), started + offset
                await asyncio.sleep(max(0.0, scheduled - self._now()))
                await room.acquire()
                request = requests.create_task(self._one(order, scheduled))
                request.add_done_callback(lambda _: room.release())

    async def _one(self, order: Order, scheduled: float) -> None:
        self._watch.began()
        sent = self._now()
        try:
            exchange = await self._send(order, scheduled)
        except asyncio.CancelledError:
            self._note(Exchange(scheduled, sent, self._now(), failure=INTERRUPTED))
            raise
        self._note(exchange)

    def _note(self, exchange: Exchange) -> None:
        self._seen.append(exchange)
        self._watch.ended(exchange)
