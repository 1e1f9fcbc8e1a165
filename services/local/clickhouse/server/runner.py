"""Runs checked statements on engine connections: bounded concurrency, threads, sessions."""

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import ParamSpec, TypeVar

from services.local.clickhouse.domain.errors import TOO_MANY_QUERIES, StoreError
from services.local.clickhouse.domain.ports import Answer, Connection, Engine, Stream
from services.local.clickhouse.domain.sessions import Session, Sessions
from services.local.clickhouse.domain.statement import Statement
from services.local.clickhouse.server.checker import StatementChecker
from services.local.clickhouse.server.intake import Asked
from services.runtime.clock import Clock

_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")
_SWEEP_SECONDS = 5.0


class Lease:
    """A connection for the length of one request, and the threads to use it in."""

    def __init__(
        self, runner: "QueryRunner", connection: Connection, asked: Asked, statement: Statement
    ) -> None:
        self._runner = runner
        self._connection = connection
        self._asked = asked
        self.statement = statement

    async def answer(self, output_format: str) -> Answer:
        """The whole result, timed here: the engine also counts what came before on a connection."""
        started_seconds = self._runner.clock.monotonic_seconds()
        answer = await self._runner.call(self._answer, output_format)
        return replace(answer, elapsed_seconds=self._runner.clock.monotonic_seconds() - started_seconds)

    async def stream(self, output_format: str) -> tuple[Stream, bytes]:
        """The result in pieces, and the first of them, which is empty if there is none."""
        return await self._runner.call(self._stream, output_format)

    async def fetch(self, stream: Stream) -> bytes:
        """The next piece of a result."""
        return await self._runner.call(stream.fetch)

    async def end(self, stream: Stream) -> None:
        """Stops a result."""
        await self._runner.call(stream.close)

    def _stream(self, output_format: str) -> tuple[Stream, bytes]:
        stream = self._connection.stream(self.statement.text, output_format, self._asked.request.parameters)
        try:
            return stream, stream.fetch()
        except StoreError:
            stream.close()
            raise

    def _answer(self, output_format: str) -> Answer:
        if self._asked.data is not None:
            return self._connection.insert(
                self.statement.insert_head, self._asked.data_format, self._asked.data
            )
        return self._connection.query(self.statement.text, output_format, self._asked.request.parameters)


class QueryRunner:
    """Everything that touches the engine, off the event loop and within bounds."""

    def __init__(
        self,
        engine: Engine,
        checker: StatementChecker,
        clock: Clock,
        *,
        max_concurrent: int,
        max_waiting: int,
        max_sessions: int,
    ) -> None:
        self._engine = engine
        self._checker = checker
        self.clock = clock
        self._threads = ThreadPoolExecutor(max_concurrent, thread_name_prefix="engine")
        self._slots = asyncio.Semaphore(max_concurrent)
        self._max_waiting = max_waiting
        self._waiting = 0
        self._sessions = Sessions(max_sessions)

    async def call(
        self, work: Callable[_Arguments, _Result], *arguments: _Arguments.args, **named: _Arguments.kwargs
    ) -> _Result:
        """`work` in a thread, to its end even if the caller is cancelled: no engine call is left halfway."""
        future = asyncio.get_running_loop().run_in_executor(self._threads, lambda: work(*arguments, **named))
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            await asyncio.wait([future])
            future.exception()
            raise

    @asynccontextmanager
    async def lease(self, asked: Asked) -> AsyncIterator[Lease]:
        """A slot, the checked statement and a prepared connection; StoreError if one is not to be had."""
        async with self._slot():
            statement = await self._check(asked)
            async with self._connection(asked, statement) as connection:
                yield Lease(self, connection, asked, statement)

    async def sweep(self) -> None:
        """Closes sessions whose time is over, until cancelled."""
        while True:
            await asyncio.sleep(_SWEEP_SECONDS)
            for session in self._sessions.expired(self.clock.monotonic_seconds()):
                await self._end_session(session)

    async def close(self) -> None:
        """Closes the sessions and the threads; the engine is then nobody's."""
        for session in self._sessions.all():
            await self._end_session(session)
        self._threads.shutdown()

    @asynccontextmanager
    async def _slot(self) -> AsyncIterator[None]:
        if self._slots.locked() and self._waiting >= self._max_waiting:
            raise StoreError.refused(TOO_MANY_QUERIES, "Too many simultaneous queries.")
        self._waiting += 1
        try:
            await self._slots.acquire()
        finally:
            self._waiting -= 1
        try:
            yield
        finally:
            self._slots.release()

    async def _check(self, asked: Asked) -> Statement:
        known = self._checker.known(asked.text, is_writer=asked.is_writer)
        if known is not None:
            return known
        return await self.call(
            self._checker.check, asked.text, asked.request.parameters, is_writer=asked.is_writer
        )

    @asynccontextmanager
    async def _connection(self, asked: Asked, statement: Statement) -> AsyncIterator[Connection]:
        if asked.request.session is None:
            connection = await self.call(self._open, asked, statement)
            try:
                yield connection
            finally:
                await self.call(connection.close)
            return
        session = self._sessions.take(
            asked.request.session, is_writer=asked.is_writer, is_readonly=asked.request.is_readonly
        )
        try:
            if session.connection is None:
                session.connection = await self.call(self._open, asked, statement)
            else:
                await self.call(_prepare, session.connection, asked, statement)
            yield session.connection
        finally:
            self._sessions.release(session, self.clock.monotonic_seconds())

    def _open(self, asked: Asked, statement: Statement) -> Connection:
        connection = self._engine.connect(is_writer=asked.is_writer, is_readonly=asked.request.is_readonly)
        try:
            _prepare(connection, asked, statement)
        except StoreError:
            connection.close()
            raise
        return connection

    async def _end_session(self, session: Session) -> None:
        if session.connection is not None:
            await self.call(session.connection.close)


def _prepare(connection: Connection, asked: Asked, statement: Statement) -> None:
    """Gives the connection the request's settings and database."""
    # A statement that sets for the session must not be undone by what one request gave before.
    settings = {} if statement.kind == "Set" else asked.request.settings
    connection.configure(settings, is_once=asked.request.session is None)
    if asked.request.database and asked.request.database != "default":
        connection.use(asked.request.database)
