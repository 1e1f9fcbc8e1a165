"""A process that sends its share of a bench's load, until the command closes the pipe between them."""

import asyncio
import contextlib
import gc
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path
from typing import Final

import uvloop

from services.cli.adapters.channel import Begin, Channel, Ended, OtherEndGoneError, Prepare, Ready, Told
from services.cli.adapters.openai_load import Target, endpoint_at
from services.cli.adapters.tokenizer import counting_by
from services.cli.bench.shares import Share
from services.cli.loading.plan import MachineClocks, Plan
from services.cli.loading.sending import Sending, Sent
from services.cli.loading.tally import Tally

_TOLD_SECONDS: Final = 0.25
# A process that was killed while it took a number keeps the lock; one that lives has it for microseconds.
_LOCK_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True)
class Part:
    """What one process sends, and how."""

    target: Target
    plan: Plan
    share: Share
    ca_file: Path | None = None
    tokenizer: Path | None = None


def send_part(connection: Connection, part: Part, counter: "Synchronized[int]") -> None:
    """Sends stage after stage; returns when the command is done, or gone."""
    gc.collect()
    gc.freeze()
    channel = Channel(connection)
    with contextlib.suppress(OtherEndGoneError), asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_send(channel, part, counter))
    channel.close()


async def _send(channel: Channel, part: Part, counter: "Synchronized[int]") -> None:
    clocks = MachineClocks()
    count_tokens = None if part.tokenizer is None else counting_by(part.tokenizer)
    async with endpoint_at(part.target, clocks.now, count_tokens, part.ca_file) as endpoint:
        while isinstance(asked := await channel.receive(), Prepare):
            tally = Tally()
            sending = Sending(
                endpoint.send, part.plan, tally, clocks, count_tokens, part.share, lambda: _taken(counter)
            )
            orders = sending.prepared(asked.stage)
            channel.send(Ready())
            if not isinstance(begin := await channel.receive(), Begin):
                return
            stopping = asyncio.Event()
            work = asyncio.create_task(sending.run(asked.stage, orders, stopping, begin.at_seconds))
            await _until_ended(channel, work, tally, stopping)
            channel.send(Ended(tally, await work))


async def _until_ended(
    channel: Channel, work: "asyncio.Task[Sent]", tally: Tally, stopping: asyncio.Event
) -> None:
    """Tells now and then how far it is. Whatever the command says meanwhile is its stop, as is its end."""
    heard = asyncio.create_task(channel.receive())
    while not work.done():
        await asyncio.wait((work, heard), timeout=_TOLD_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        if heard.done():
            stopping.set()
            await asyncio.wait((work,))
        elif not work.done():
            channel.send(Told(tally))
    heard.cancel()
    # Its end is no error of anybody: the next message that is sent, or awaited, says so again.
    await asyncio.gather(heard, return_exceptions=True)


def _taken(counter: "Synchronized[int]") -> Iterator[int]:
    """Yields the next number that no process has taken yet; none once one died as it took its own."""
    lock = counter.get_lock()
    while lock.acquire(timeout=_LOCK_SECONDS):
        try:
            number = counter.value
            counter.value = number + 1
        finally:
            lock.release()
        yield number
