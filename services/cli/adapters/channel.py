"""Messages between the command and its sending processes, over the pipe that `multiprocessing` gives both."""

import asyncio
import contextlib
import os
from dataclasses import dataclass
from multiprocessing.connection import Connection

from services.cli.loading.orders import Stage
from services.cli.loading.sending import Sent
from services.cli.loading.tally import Tally


@dataclass(frozen=True, slots=True)
class Prepare:
    """To a process: write what can be written of this stage."""

    stage: Stage


@dataclass(frozen=True, slots=True)
class Ready:
    """From a process: it could begin."""


@dataclass(frozen=True, slots=True)
class Begin:
    """To a process: begin at that moment of the machine's monotonic clock."""

    at_seconds: float


@dataclass(frozen=True, slots=True)
class Stop:
    """To a process: cancel what is in flight, tell what was measured, and take no further stage."""


@dataclass(frozen=True, slots=True)
class Told:
    """From a process: so far it is."""

    tally: Tally


@dataclass(frozen=True, slots=True)
class Ended:
    """From a process: the stage is over, and this was seen."""

    tally: Tally
    sent: Sent


Message = Prepare | Ready | Begin | Stop | Told | Ended


class OtherEndGoneError(Exception):
    """The process at the other end is gone."""


class Channel:
    """One end of a pipe."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def send(self, message: Message) -> None:
        """Sends a message; the other end always reads."""
        try:
            self._wait_for_all_of_it()
            self._connection.send(message)
        except OSError:
            raise OtherEndGoneError from None

    async def receive(self) -> Message:
        """Waits for a message; one that has begun to come is read to its end."""
        loop = asyncio.get_running_loop()
        readable: asyncio.Future[None] = loop.create_future()

        def wake() -> None:
            if not readable.done():
                readable.set_result(None)

        descriptor = self._connection.fileno()
        loop.add_reader(descriptor, wake)
        try:
            await readable
        finally:
            loop.remove_reader(descriptor)
        try:
            self._wait_for_all_of_it()
            message: Message = self._connection.recv()
        except (EOFError, OSError):
            raise OtherEndGoneError from None
        return message

    def _wait_for_all_of_it(self) -> None:
        # uvloop makes what it watches non-blocking, where a message beyond the pipe's buffer would break off.
        os.set_blocking(self._connection.fileno(), True)

    def close(self) -> None:
        """Closes this end, which ends the process at the other one."""
        with contextlib.suppress(OSError):
            self._connection.close()
