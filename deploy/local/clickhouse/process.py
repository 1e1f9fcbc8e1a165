"""One run of the front: folder, engine, listener; drained and closed in the opposite order."""

import asyncio

from deploy.local.clickhouse.adapters.chdb_engine import ChdbEngine
from deploy.local.clickhouse.adapters.confinement import confine
from deploy.local.clickhouse.adapters.engine_folder import EngineFolder
from deploy.local.clickhouse.domain.credentials import Writer
from deploy.local.clickhouse.domain.sessions import SessionBounds
from deploy.local.clickhouse.server.application import Front
from deploy.local.clickhouse.server.checker import StatementChecker
from deploy.local.clickhouse.server.intake import Limits
from deploy.local.clickhouse.server.listener import ListenBounds, Listener
from deploy.local.clickhouse.server.places import PlaceBounds
from deploy.local.clickhouse.server.runner import QueryRunner
from deploy.local.clickhouse.settings import LocalClickHouseSettings
from services.kernel.clock import SystemClock
from services.runtime import logs

_log = logs.get_logger(__name__)


def open_engine(settings: LocalClickHouseSettings, folder: EngineFolder) -> ChdbEngine:
    """The engine on its folder, confined to it."""
    connection_string = folder.prepare(
        max_execution_seconds=settings.max_execution_seconds,
        max_memory_bytes=settings.max_memory_bytes,
        max_result_bytes=settings.max_result_bytes,
        max_query_bytes=settings.max_query_bytes,
    )
    # Before the engine starts its threads: they inherit it. Secrets were read before.
    is_confined = confine(folder.path, [folder.store, folder.scratch], settings.port)
    _log.info("confinement", state="kernel" if is_confined else "unavailable")
    return ChdbEngine(folder.path, connection_string, settings.default_database)


async def serve(
    settings: LocalClickHouseSettings, engine: ChdbEngine, writer: Writer, stopped: asyncio.Event
) -> None:
    """Serves until `stopped`, then drains."""
    clock = SystemClock()
    checker = StatementChecker(engine, max_query_bytes=settings.max_query_bytes)
    runner = QueryRunner(
        engine,
        checker,
        clock,
        readers=_places(settings, "max_concurrent_queries"),
        writer=_places(settings, "max_writer_queries"),
        sessions=SessionBounds(settings.max_sessions, settings.max_temporary_bytes),
    )
    limits = Limits(
        settings.max_query_bytes,
        settings.max_insert_bytes,
        settings.session_timeout_seconds,
        settings.body_seconds,
        settings.write_seconds,
        settings.max_execution_seconds,
        {
            "max_execution_time": settings.max_execution_seconds,
            "max_memory_usage": settings.max_memory_bytes,
            "max_result_bytes": settings.max_result_bytes,
        },
    )
    front = Front(engine, runner, writer, limits, clock)
    listener = Listener(
        front.application(), settings.host, settings.port, bounds=_bounds(settings), clock=clock
    )
    _log.info("listening", port=settings.port, version=engine.version)
    sweeping = asyncio.ensure_future(runner.sweep())
    await listener.serve(stopped)
    sweeping.cancel()
    await runner.close()
    _log.info("stopped")


def _places(settings: LocalClickHouseSettings, setting: str) -> PlaceBounds:
    return PlaceBounds(
        setting, getattr(settings, setting), settings.max_waiting_queries, settings.max_wait_seconds
    )


def _bounds(settings: LocalClickHouseSettings) -> ListenBounds:
    return ListenBounds(
        max_head_bytes=settings.max_head_bytes,
        max_connections=settings.max_connections,
        head_seconds=settings.head_seconds,
        idle_connection_seconds=settings.idle_connection_seconds,
        drain_seconds=settings.drain_seconds,
    )
