"""Runs checked statements on engine connections: bounded concurrency, threads, sessions."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Final

from deploy.local.clickhouse.domain.errors import StoreError
from deploy.local.clickhouse.domain.limits import FrontLimits
from deploy.local.clickhouse.domain.ports import Answer, Connection, Engine, Stream
from deploy.local.clickhouse.domain.sessions import Session, Sessions
from deploy.local.clickhouse.domain.statement import Statement
from deploy.local.clickhouse.server.checker import StatementChecker
from deploy.local.clickhouse.server.intake import Asked
from deploy.local.clickhouse.server.places import Places
from deploy.local.clickhouse.wire.codings import Encoder, encode
from deploy.local.clickhouse.wire.native_framing import NATIVE_FORMAT, FramedStream, framed
from services.kernel.clock import Clock

_SWEEP_SECONDS: Final = 5.0
# Temporary tables live in memory, after the query and its limits.
_CAN_HOLD_ROWS: Final = ("CreateQuery", "InsertQuery", "DropQuery", "TruncateQuery")


class Lease:
    """A connection for the length of one request, and the threads to use it in."""

    def __init__(
        self, places: Places, clock: Clock, connection: Connection, asked: Asked, statement: Statement
    ) -> None:
        self._places = places
        self._clock = clock
        self._connection = connection
        self._asked = asked
        self.statement = statement

    async def answer(self, output_format: str, coding: str) -> tuple[Answer, bytes]:
        """Returns the whole result and its encoded body, timed here: the engine counts more than that."""
        started_seconds = self._clock.monotonic_seconds()
        answer, encoded = await self._places.call(self._answer, output_format, coding)
        return replace(answer, elapsed_seconds=self._clock.monotonic_seconds() - started_seconds), encoded

    async def stream(self, output_format: str) -> tuple[Stream, bytes]:
        """Returns the result in pieces, and the first of them, which is empty if there is none."""
        return await self._places.call(self._stream, output_format)

    async def encode(self, encoder: Encoder, piece: bytes) -> bytes:
        """Returns a piece in its coding."""
        return await self._places.call(encoder.encode, piece)

    async def fetch(self, stream: Stream, encoder: Encoder) -> bytes:
        """Returns the next piece of a result in its coding; empty at the end."""
        return await self._places.call(_fetch, stream, encoder)

    async def end(self, stream: Stream) -> None:
        """Stops a result."""
        await self._places.call(stream.close)

    def _stream(self, output_format: str) -> tuple[Stream, bytes]:
        request = self._asked.request
        stream = self._connection.stream(self.statement.text, output_format, request.parameters)
        if output_format == NATIVE_FORMAT and request.protocol_version > 0:
            stream = FramedStream(stream, request.protocol_version)
        try:
            return stream, stream.fetch()
        except StoreError:
            stream.close()
            raise

    def _answer(self, output_format: str, coding: str) -> tuple[Answer, bytes]:
        answer = self._run(output_format)
        body = answer.body
        if output_format == NATIVE_FORMAT:
            body = framed(body, self._asked.request.protocol_version)
        return answer, encode(body, coding) if body else b""

    def _run(self, output_format: str) -> Answer:
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
        limits: FrontLimits,
    ) -> None:
        self._engine = engine
        self._checker = checker
        self.clock = clock
        self._places: Mapping[bool, Places] = {
            False: Places("max_concurrent_queries", limits),
            True: Places("max_writer_queries", limits),
        }
        self._max_temporary_bytes = limits.max_temporary_bytes
        self._sessions: Mapping[bool, Sessions] = {
            is_writer: Sessions(limits.max_sessions) for is_writer in (False, True)
        }

    def places(self, *, is_writer: bool) -> Places:
        """Returns the places of the writer, or of all readers."""
        return self._places[is_writer]

    @asynccontextmanager
    async def lease(self, asked: Asked) -> AsyncIterator[Lease]:
        """Lends a place, the checked statement and a prepared connection; raises StoreError."""
        places = self._places[asked.is_writer]
        async with places.place():
            statement = await self._check(asked)
            async with self._connection(asked, statement) as connection:
                yield Lease(places, self.clock, connection, asked, statement)

    async def sweep(self) -> None:
        """Closes sessions whose time is over, until cancelled."""
        while True:
            await asyncio.sleep(_SWEEP_SECONDS)
            for is_writer, sessions in self._sessions.items():
                for session in sessions.expired(self.clock.monotonic_seconds()):
                    await self._end_session(session, is_writer=is_writer)

    async def close(self) -> None:
        """Closes the sessions and the threads; the engine is then nobody's."""
        for is_writer, sessions in self._sessions.items():
            for session in sessions.all():
                await self._end_session(session, is_writer=is_writer)
        for places in self._places.values():
            places.close()

    async def _check(self, asked: Asked) -> Statement:
        known = self._checker.known(asked.text, is_writer=asked.is_writer)
        if known is not None:
            return known
        return await self._places[asked.is_writer].call(
            self._checker.check, asked.text, asked.request.parameters, is_writer=asked.is_writer
        )

    @asynccontextmanager
    async def _connection(self, asked: Asked, statement: Statement) -> AsyncIterator[Connection]:
        call = self._places[asked.is_writer].call
        if asked.request.session is None:
            connection = await call(self._open, asked, statement)
            try:
                yield connection
            finally:
                await call(connection.close)
            return
        sessions = self._sessions[asked.is_writer]
        session = sessions.take(asked.request.session, is_readonly=asked.request.is_readonly)
        try:
            await self._end_displaced(sessions, is_writer=asked.is_writer)
            if session.connection is None:
                session.connection = await call(self._open, asked, statement)
            else:
                await call(_prepare, session.connection, asked, statement)
            yield session.connection
            if not asked.is_writer and statement.kind in _CAN_HOLD_ROWS:
                held_bytes = await call(session.connection.temporary_bytes)
                sessions.hold(session, held_bytes, max_bytes=self._max_temporary_bytes)
        finally:
            sessions.release(session, self.clock.monotonic_seconds())
            await self._end_displaced(sessions, is_writer=asked.is_writer)

    def _open(self, asked: Asked, statement: Statement) -> Connection:
        connection = self._engine.connect(is_writer=asked.is_writer, is_readonly=asked.request.is_readonly)
        try:
            _prepare(connection, asked, statement)
        except StoreError:
            connection.close()
            raise
        return connection

    async def _end_displaced(self, sessions: Sessions, *, is_writer: bool) -> None:
        for displaced in sessions.displaced():
            await self._end_session(displaced, is_writer=is_writer)

    async def _end_session(self, session: Session, *, is_writer: bool) -> None:
        if session.connection is not None:
            await self._places[is_writer].call(session.connection.close)


def _fetch(stream: Stream, encoder: Encoder) -> bytes:
    # An encoder may keep a piece back; empty is the end of the result and nothing else.
    while piece := stream.fetch():
        encoded = encoder.encode(piece)
        if encoded:
            return encoded
    return b""


def _prepare(connection: Connection, asked: Asked, statement: Statement) -> None:
    """Gives the connection the request's settings and database."""
    # A statement that sets for the session must not be undone by what one request gave before.
    settings = {} if statement.kind == "Set" else asked.request.settings
    connection.configure(settings, is_once=asked.request.session is None)
    if asked.request.database and asked.request.database != "default":
        connection.use(asked.request.database)
