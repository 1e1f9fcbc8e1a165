"""Several processes that send one load, which begin at one moment; what each saw is joined."""

import asyncio
import multiprocessing
import signal
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from multiprocessing.process import BaseProcess
from multiprocessing.sharedctypes import Synchronized
from typing import Any, Final

from services.cli.adapters.channel import (
    Begin,
    Channel,
    Ended,
    Message,
    OtherEndGoneError,
    Prepare,
    Ready,
    Stop,
    Told,
)
from services.cli.loading.orders import Stage
from services.cli.loading.plan import Clocks
from services.cli.loading.progress import Screen
from services.cli.loading.sending import Sent, joined

# Until the last of them has read the moment at which all begin.
_BEGIN_SECONDS: Final = 0.1
_END_SECONDS: Final = 10.0

Target = Callable[..., None]


class SenderProcess:
    """One of them, from here."""

    def __init__(self, index: int, process: BaseProcess, channel: Channel) -> None:
        self.index = index
        self.process = process
        self.channel = channel
        self.is_lost = False

    async def received(self) -> Message | None:
        """Returns its next message; None once it is gone."""
        try:
            return await self.channel.receive()
        except OtherEndGoneError:
            self.is_lost = True
            return None

    def send(self, message: Message) -> None:
        """Sends it a message, unless it is gone."""
        if not self.is_lost:
            try:
                self.channel.send(message)
            except OtherEndGoneError:
                self.is_lost = True

    def ending(self) -> str:
        """Says how it ended."""
        self.process.join(_END_SECONDS)
        code = self.process.exitcode
        return f"signal {-code}" if code is not None and code < 0 else f"exit status {code}"


class SenderProcesses:
    """All of them."""

    def __init__(
        self, processes: Sequence[SenderProcess], counter: "Synchronized[int]", screen: Screen, clocks: Clocks
    ) -> None:
        self._processes = processes
        self._counter = counter
        self._screen = screen
        self._clocks = clocks

    async def drive(self, stage: Stage, stopping: asyncio.Event) -> Sent:
        """Returns all that was seen of a stage. Who dies stops the others: it is another load without it."""
        if stopping.is_set():
            return joined([], self._lost())
        self._counter.value = 0
        for one in self._processes:
            one.send(Prepare(stage))
        ready = await asyncio.gather(*(self._heard(one, stopping) for one in self._processes))
        if not all(isinstance(message, Ready) for message in ready) or stopping.is_set():
            stopping.set()
            return joined([], self._lost())
        begin = Begin(self._clocks.now() + _BEGIN_SECONDS)
        for one in self._processes:
            one.send(begin)
        stop = asyncio.create_task(self._stop_all(stopping))
        try:
            parts = await asyncio.gather(*(self._part(one, stopping) for one in self._processes))
        finally:
            stop.cancel()
        return joined([part for part in parts if part is not None], self._lost())

    async def _part(self, one: SenderProcess, stopping: asyncio.Event) -> Sent | None:
        while (message := await self._heard(one, stopping)) is not None:
            if isinstance(message, Told | Ended):
                self._screen.told(one.index, message.tally)
            if isinstance(message, Ended):
                return message.sent
        return None

    async def _heard(self, one: SenderProcess, stopping: asyncio.Event) -> Message | None:
        message = await one.received()
        if message is None:
            stopping.set()
            self._screen.note(f"Sending process {one.index + 1} died ({one.ending()}); the load ends here.")
        return message

    async def _stop_all(self, stopping: asyncio.Event) -> None:
        await stopping.wait()
        for one in self._processes:
            one.send(Stop())

    def _lost(self) -> int:
        return sum(one.is_lost for one in self._processes)


@asynccontextmanager
async def sender_processes(
    target: Target, parts: Sequence[Any], screen: Screen, clocks: Clocks
) -> AsyncIterator[SenderProcesses]:
    """Starts a process for each part, which runs `target(connection, part, counter)`; ends them all."""
    context = multiprocessing.get_context("spawn")
    counter = context.Value("q", 0)
    processes: list[SenderProcess] = []
    try:
        with _without_stops():
            for index, part in enumerate(parts):
                own, theirs = context.Pipe()
                process = context.Process(target=target, args=(theirs, part, counter), daemon=True)
                processes.append(SenderProcess(index, process, Channel(own)))
                process.start()
                theirs.close()
        yield SenderProcesses(processes, counter, screen, clocks)
    finally:
        for one in processes:
            one.channel.close()
        for one in processes:
            await asyncio.to_thread(_end, one.process)


def _end(process: BaseProcess) -> None:
    """Waits for a process that has nothing more to do; one that does not end is killed."""
    process.join(_END_SECONDS)
    if process.exitcode is None:
        process.kill()
        process.join()
    process.close()


@contextmanager
def _without_stops() -> Iterator[None]:
    """Keeps stops from the processes that begin meanwhile, who go by what the command says.

    A terminal's Ctrl-C comes to all of them, and so does the SIGTERM of `timeout` and of systemd.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
