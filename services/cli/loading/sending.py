"""One process's part of each stage of a load, and what it says of itself."""

import asyncio
import itertools
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from services.cli.bench.exchange import Exchange
from services.cli.bench.load import Bound, Closed
from services.cli.bench.prompts import CountTokens
from services.cli.bench.sender import Sender, Senders
from services.cli.bench.shares import WHOLE, Share, due_of, numbers_of, share_of_load
from services.cli.loading.driver import Driver, Send, Watch
from services.cli.loading.lag import LagMeter
from services.cli.loading.orders import Orders, Stage, due_in
from services.cli.loading.plan import Clocks, Plan


@dataclass(frozen=True, slots=True)
class Sent:
    """What was seen of a stage's requests, in the order of ends, and of who sent them."""

    exchanges: list[Exchange]
    senders: Senders


class Sending:
    """Sends its share; `counted` yields the numbers of a closed load, which all processes take from."""

    def __init__(  # noqa: PLR0913, PLR0917 - what one process sends with, once
        self,
        send: Send,
        plan: Plan,
        watch: Watch,
        clocks: Clocks,
        count_tokens: CountTokens | None = None,
        share: Share = WHOLE,
        counted: Callable[[], Iterator[int]] = itertools.count,
    ) -> None:
        self._send = send
        self._plan = plan
        self._watch = watch
        self._clocks = clocks
        self._count_tokens = count_tokens
        self._share = share
        self._counted = counted

    async def drive(self, stage: Stage, stopping: asyncio.Event) -> Sent:
        """Writes what can be written before, and sends."""
        return await self.run(stage, self.prepared(stage), stopping)

    def prepared(self, stage: Stage) -> Orders:
        """Returns the orders of a stage, the first of them written."""
        orders = Orders(self._plan, stage, self._count_tokens)
        is_closed = isinstance(stage.load, Closed)
        # Nobody knows who will take which of a closed load: each has all of the first.
        orders.write_ahead(itertools.count() if is_closed else numbers_of(self._share, stage.bound.requests))
        return orders

    async def run(
        self, stage: Stage, orders: Orders, stopping: asyncio.Event, begin_seconds: float | None = None
    ) -> Sent:
        """Sends, from that moment on or from now on."""
        requests = stage.bound.requests
        if isinstance(stage.load, Closed):
            numbers = self._counted()
            if requests is not None:
                numbers = itertools.takewhile(lambda number: number < requests, numbers)
        else:
            numbers = numbers_of(self._share, requests)
        driver = Driver(self._send, self._watch, self._clocks.now, stopping)
        meter = LagMeter(self._clocks.now)
        measuring = asyncio.create_task(meter.run())
        begin, cpu = self._clocks.now(), self._clocks.cpu()
        try:
            exchanges = await driver.run(
                share_of_load(stage.load, self._share),
                orders.take(numbers),
                Bound(None, stage.bound.seconds),
                due_of(due_in(self._plan, stage), self._share),
                begin_seconds,
            )
        finally:
            measuring.cancel()
        own = Sender(self._clocks.cpu() - cpu, self._clocks.now() - begin, meter.lag_seconds)
        return Sent(exchanges, Senders((own,), len(os.sched_getaffinity(0))))


def joined(parts: list[Sent], lost: int) -> Sent:
    """Returns what several processes sent, as if one had seen it: all requests, in the order of ends."""
    exchanges = sorted((one for part in parts for one in part.exchanges), key=lambda one: one.ended_seconds)
    seen = tuple(sender for part in parts for sender in part.senders.seen)
    cores = max((part.senders.cores for part in parts), default=1)
    return Sent(exchanges, Senders(seen, cores, lost))
