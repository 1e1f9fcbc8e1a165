"""Joins the front's folder, engine and listener, and says how they start and stop."""

import asyncio
import contextlib

from deploy.local.clickhouse.adapters.chdb_engine import ChdbEngine
from deploy.local.clickhouse.adapters.confinement import confine
from deploy.local.clickhouse.adapters.engine_folder import EngineFolder, FolderUnusableError
from deploy.local.clickhouse.domain.errors import StoreError
from deploy.local.clickhouse.server.application import Front
from deploy.local.clickhouse.server.checker import StatementChecker
from deploy.local.clickhouse.server.listener import Listener
from deploy.local.clickhouse.server.runner import QueryRunner
from deploy.local.clickhouse.settings import LocalClickHouseSettings
from services.kernel.clock import Clock, SystemClock
from services.runtime import logs
from services.runtime.parts import Parts

_log = logs.get_logger(__name__)


def build(settings: LocalClickHouseSettings) -> "LocalClickHouse":
    """Returns a front on the machine's clock; FolderUnusableError if another process has its folder."""
    return LocalClickHouse(settings, SystemClock())


class LocalClickHouse:
    """One engine on the folder that this process holds, and the HTTP interface in front of it."""

    def __init__(self, settings: LocalClickHouseSettings, clock: Clock) -> None:
        # Secrets are read before the process is confined.
        self._settings, self._clock, self._writer = settings, clock, settings.writer()
        self._folder = EngineFolder(settings.data_folder)
        self._closing = contextlib.ExitStack()
        self._closing.callback(self._folder.release)
        self._sweeping: asyncio.Task[None] | None = None

    async def start(self, parts: Parts) -> None:
        """Opens the engine and accepts requests; SettingsError if the address is taken."""
        engine = self._open_engine()
        self._closing.callback(engine.close)
        self._runner = runner = self._runner_of(engine)
        front = Front(engine, runner, self._writer, self._settings, self._clock)
        self._listener = Listener(
            front.application(),
            self._settings.host,
            self._settings.port,
            bounds=self._settings,
            clock=self._clock,
        )
        await self._listener.start()
        self._sweeping = parts.run("sweep", runner.sweep())
        _log.info("listening", port=self._settings.port, version=engine.version)

    async def drain(self) -> None:
        """Ends the requests that run, then their sessions, then the engine, and gives the folder back."""
        if self._sweeping is not None:
            await self._listener.stop()
            self._sweeping.cancel()
            await self._runner.close()
            _log.info("stopped")
        self._closing.close()

    def _open_engine(self) -> ChdbEngine:
        settings, folder = self._settings, self._folder
        try:
            connection_string = folder.prepare(
                max_execution_seconds=settings.max_execution_seconds,
                max_memory_bytes=settings.max_memory_bytes,
                max_result_bytes=settings.max_result_bytes,
                max_query_bytes=settings.max_query_bytes,
            )
            # Before the engine starts its threads: they inherit it.
            is_confined = confine(folder.path, [folder.store, folder.scratch], settings.port)
            _log.info("confinement", state="kernel" if is_confined else "unavailable")
            return ChdbEngine(folder.path, connection_string, settings.default_database)
        except (StoreError, OSError) as error:
            raise FolderUnusableError(
                f"the engine cannot open its folder ({type(error).__name__})."
            ) from None

    def _runner_of(self, engine: ChdbEngine) -> QueryRunner:
        settings = self._settings
        return QueryRunner(
            engine,
            StatementChecker(engine, max_query_bytes=settings.max_query_bytes),
            self._clock,
            settings,
        )
