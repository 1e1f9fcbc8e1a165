"""Calls of the server-side functions of leases: those of one moment go in one round trip, in their order."""

import asyncio
import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from redis.asyncio import Redis
from redis.exceptions import MasterDownError, ReadOnlyError, ResponseError

from services.kernel.clock import SystemClock
from services.kernel.errors import ComptoirError, Reason
from services.runtime.awake_clock import AwakeClock
from services.runtime.logs import get_logger
from services.runtime.metrics.registry import router as metrics
from services.runtime.telemetry import counter

FUNCTIONS: Final = Path(__file__).with_name("lease_functions.lua").read_text()
_TIMEOUT_SECONDS: Final = 30.0
# Of what is stored: a router that keeps it otherwise counts up, and shares nothing with older ones.
FORMAT: Final = 2

_MOST_AT_ONCE: Final = 256
_MOST_WAITING: Final = 16_384
# While the store is away, it is asked so often; meanwhile calls fail at once.
_REST_SECONDS: Final = 0.25
_RETRY_SECONDS: Final = 1.0
# A refusal of the server that lasts is said again this often.
_REMIND_SECONDS: Final = 30.0
# It follows another server now: who connects anew may be led to that one.
_FOLLOWS: Final = (ReadOnlyError, MasterDownError)
_UNKNOWN_FUNCTION: Final = "Function not found"
# What is stored is not what a function left there: no table, another type, or a table without its fields.
_UNREADABLE: Final = ("UNREADABLE", "WRONGTYPE", "user_function:")
_KNOWN_LIBRARY: Final = "already exists"
_log = get_logger(__name__)


class UnreadableValueError(ComptoirError):
    """The store answers, and cannot read what it has of this account or lease; others go on."""

    def __init__(self) -> None:
        super().__init__(Reason.QUOTA_UNAVAILABLE, retry_after_seconds=_REMIND_SECONDS)


def away() -> ComptoirError:
    """Returns the refusal of what needs a store that cannot be reached."""
    return ComptoirError(Reason.QUOTA_UNAVAILABLE, retry_after_seconds=_RETRY_SECONDS)


@dataclass(frozen=True, slots=True)
class Library:
    """The functions as the server has them: their names say their content, so versions run side by side."""

    name: str
    code: str

    @classmethod
    def of(cls, functions: str) -> "Library":
        """Returns the library that has the text of those functions."""
        name = f"comptoir_leases_{hashlib.sha256(functions.encode()).hexdigest()[:12]}"
        return cls(name, functions.replace("LIBRARY", name))


@dataclass(slots=True)
class _Call:
    command: tuple[Any, ...]
    answered: asyncio.Future[Any] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class LeaseCalls:
    """One line of calls: while one round trip is under way, what is asked meanwhile waits for the next.

    A call that fails may have been carried out: every function is safe to repeat, and what a reservation
    took that nobody knows of ends with its time.
    """

    def __init__(
        self,
        client: Redis,
        *,
        region: int = 0,
        functions: str = FUNCTIONS,
        timeout_seconds: float = _TIMEOUT_SECONDS,
    ) -> None:
        self._client = client
        self._timeout_seconds = timeout_seconds
        # The server may have stood still with the router, as one machine does: that is no sign of either.
        self._awake = AwakeClock(SystemClock())
        # Numbers of keys, tenants and replicas are those of one region: another one has others of them.
        self._prefix = f"comptoir:{FORMAT}:{region}:"
        self._library = Library.of(functions)
        self._waiting: list[_Call] = []
        self._sending: asyncio.Task[None] | None = None
        self._away_until_seconds = 0.0
        self._away_since_seconds: float | None = None
        self._unreadable = counter(metrics.UNREADABLE_LEASES)
        # When each kind of refusal is said again.
        self._silent_until_seconds: dict[str, float] = {}

    @property
    def away_seconds(self) -> float:
        """For how long the store has not answered, 0 where it did; any thread may ask."""
        since_seconds = self._away_since_seconds
        return 0.0 if since_seconds is None else time.monotonic() - since_seconds

    async def call(self, function: str, partition: int, *args: str | bytes | int) -> Any:
        """Returns what a function answers; raises QUOTA_UNAVAILABLE where the store does not.

        UnreadableValueError is that of one account or lease alone.
        """
        return await self._put(function, partition, args).answered

    def note_unreadable(self, count: int) -> None:
        """Counts values of accounts and leases that the store could not read, and says so now and then."""
        if count:
            self._unreadable.add(count)
            self._complain("unreadable_value")

    def tell(self, function: str, partition: int, *args: str | bytes | int) -> None:
        """Calls a function behind those that were called before, and waits for nothing."""
        answered = self._put(function, partition, args).answered
        answered.add_done_callback(lambda future: future.cancelled() or future.exception())

    async def close(self) -> None:
        """Closes the connections, after the round trip that is under way."""
        if self._sending is not None:
            await asyncio.wait((self._sending,))
        await self._client.aclose()

    def _put(self, function: str, partition: int, args: Sequence[str | bytes | int]) -> _Call:
        is_resting = asyncio.get_running_loop().time() < self._away_until_seconds
        if is_resting or len(self._waiting) >= _MOST_WAITING:
            raise away()
        name = f"{self._library.name}_{function}"
        call = _Call(("FCALL", name, 1, f"{self._prefix}{{{partition}}}:", *args))
        self._waiting.append(call)
        if self._sending is None:
            # It begins when this turn of the loop is over: what others ask in it goes along.
            self._sending = asyncio.create_task(self._send_all())
        return call

    async def _send_all(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[:_MOST_AT_ONCE], self._waiting[_MOST_AT_ONCE:]
                await self._send(batch)
        finally:
            self._sending = None

    async def _send(self, batch: list[_Call]) -> None:
        try:
            answers = await self._ask_in_time(batch)
        except Exception as error:  # noqa: BLE001 - whatever it is, by its type: nobody may wait for ever
            self._note_away(type(error).__name__)
            answers = [error] * len(batch)
        else:
            self._note_back()
        for call, answer in zip(batch, answers, strict=True):
            if call.answered.done():
                continue
            if _is_unreadable(answer):
                call.answered.set_exception(UnreadableValueError())
            elif isinstance(answer, Exception):
                call.answered.set_exception(away())
            else:
                call.answered.set_result(answer)

    async def _ask_in_time(self, batch: Sequence[_Call]) -> list[Any]:
        asking = asyncio.ensure_future(self._ask(batch))
        try:
            return await self._awake.wait(asking, self._timeout_seconds)
        finally:
            # What is given up has its connection closed: an answer that comes later is nobody's.
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)

    async def _ask(self, batch: Sequence[_Call]) -> list[Any]:
        answers = await self._execute(batch)
        unknown = [number for number, answer in enumerate(answers) if _is_unknown(answer)]
        if unknown:
            # A new server, or one that was restarted without what it had.
            await self._load()
            for number, answer in zip(
                unknown, await self._execute([batch[number] for number in unknown]), strict=True
            ):
                answers[number] = answer
        for answer in answers:
            if isinstance(answer, _FOLLOWS):
                await self._client.connection_pool.disconnect()
                raise answer
            if _is_unreadable(answer):
                self.note_unreadable(1)
            elif isinstance(answer, ResponseError):
                self._complain(type(answer).__name__)
        return answers

    def _complain(self, kind: str) -> None:
        now_seconds = asyncio.get_running_loop().time()
        if now_seconds >= self._silent_until_seconds.get(kind, 0.0):
            self._silent_until_seconds[kind] = now_seconds + _REMIND_SECONDS
            _log.error("lease_function_failed", kind=kind)

    async def _execute(self, batch: Sequence[_Call]) -> list[Any]:
        pipeline = self._client.pipeline(transaction=False)
        for call in batch:
            pipeline.execute_command(*call.command)
        answers: list[Any] = await pipeline.execute(raise_on_error=False)
        return answers

    async def _load(self) -> None:
        try:
            await self._client.function_load(self._library.code)
        except ResponseError as error:
            # Another router was first.
            if _KNOWN_LIBRARY not in str(error):
                raise

    def _note_away(self, kind: str) -> None:
        self._away_until_seconds = asyncio.get_running_loop().time() + _REST_SECONDS
        waiting, self._waiting = self._waiting, []
        for call in waiting:
            if not call.answered.done():
                call.answered.set_exception(away())
        if self._away_since_seconds is None:
            self._away_since_seconds = time.monotonic()
            _log.error("lease_store_away", kind=kind)

    def _note_back(self) -> None:
        if self._away_since_seconds is not None:
            self._away_since_seconds = None
            _log.info("lease_store_back")


def _is_unreadable(answer: object) -> bool:
    return isinstance(answer, ResponseError) and str(answer).startswith(_UNREADABLE)


def _is_unknown(answer: object) -> bool:
    return isinstance(answer, ResponseError) and _UNKNOWN_FUNCTION in str(answer)
