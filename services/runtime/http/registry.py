"""All connections and requests of one server: how many there are, which ones wait, what ends them."""

import asyncio
from collections.abc import Callable
from email.utils import formatdate
from typing import Protocol

from services.kernel.clock import Clock
from services.runtime.http.asgi import Application, BrokenAnswerError
from services.runtime.http.bounds import HttpBounds, Refusal, Refuse
from services.runtime.http.cycle import Cycle
from services.runtime.logs import get_logger, log_failure

_log = get_logger(__name__)


class Member(Protocol):
    """A connection, as the registry needs it."""

    def close(self) -> None:
        """Ends it once what was written has been sent."""
        ...

    def drain(self) -> None:
        """Ends it, after the answer under way if there is one."""
        ...

    def abort(self) -> None:
        """Ends it at once."""
        ...

    def refuse(self, refusal: Refusal) -> None:
        """Answers with a refusal and ends it."""
        ...


class Registry:
    """What the connections of one server share."""

    def __init__(self, application: Application, bounds: HttpBounds, refuse: Refuse, clock: Clock) -> None:
        self.bounds = bounds
        self.refuse = refuse
        self._application = application
        self._clock = clock
        self._members: set[Member] = set()
        # Those without a whole request; the one that has waited longest comes first.
        self._waiting: dict[Member, None] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._empty = asyncio.Event()
        self._empty.set()
        self._date = (0, b"")

    @property
    def connections(self) -> int:
        """How many connections are open."""
        return len(self._members)

    def opened(self, member: Member) -> None:
        """Takes a connection in; where there are too many, ends the one that has waited longest.

        Connections that send nothing, or their headers slowly, so never keep others out.
        """
        self._members.add(member)
        self._waiting[member] = None
        self._empty.clear()
        if len(self._members) <= self.bounds.max_connections:
            return
        longest = next(iter(self._waiting))
        if longest is member:
            member.refuse(Refusal.TOO_MANY_CONNECTIONS)
        else:
            del self._waiting[longest]
            longest.close()

    def waits(self, member: Member) -> None:
        """Notes that a connection waits, from now on, for a request or the rest of one."""
        self._waiting[member] = None

    def works(self, member: Member) -> None:
        """Notes that a connection has a whole request, or is about to end."""
        self._waiting.pop(member, None)

    def closed(self, member: Member) -> None:
        """Forgets a connection."""
        self._members.discard(member)
        self._waiting.pop(member, None)
        if not self._members:
            self._empty.set()

    def run(self, cycle: Cycle, ended: Callable[[Cycle], None]) -> None:
        """Lets the application answer a request; `ended` is called when it has returned or failed."""
        task = asyncio.get_running_loop().create_task(self._answer(cycle, ended))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def date(self) -> bytes:
        """Returns the date of an answer, made once a second."""
        second = self._clock.wall_microseconds() // 1_000_000
        if second != self._date[0]:
            self._date = (second, formatdate(second, usegmt=True).encode("ascii"))
        return self._date[1]

    async def drain(self, *, within_seconds: float, last_words_seconds: float) -> None:
        """Ends all connections: those that wait at once, the others after their answers, within bounds."""
        for member in tuple(self._members):
            member.drain()
        await self._wait_until_empty(within_seconds)
        for task in self._tasks:
            task.cancel()
        await self._wait_until_empty(last_words_seconds)
        for member in tuple(self._members):
            member.abort()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=last_words_seconds)

    async def _wait_until_empty(self, seconds: float) -> None:
        waiting = asyncio.ensure_future(self._empty.wait())
        await asyncio.wait([waiting], timeout=seconds)
        waiting.cancel()

    async def _answer(self, cycle: Cycle, ended: Callable[[Cycle], None]) -> None:
        try:
            await self._application(cycle.scope, cycle.receive, cycle.send)
        except BrokenAnswerError:
            # The application has told why; the client sees a body without an end.
            pass
        except Exception as error:  # noqa: BLE001 - the boundary: a defect is logged by type and place only
            log_failure(_log, "request_crashed", error)
        finally:
            ended(cycle)
