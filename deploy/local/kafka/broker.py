"""One broker from start to end: format once, start Java, make topics, say ready, stop when asked."""

import asyncio
import base64
import dataclasses
import socket
import uuid
from pathlib import Path
from typing import Final

from aiokafka.errors import KafkaError

from deploy.local.kafka import topics
from deploy.local.kafka.data_folder import DataFolder
from deploy.local.kafka.java import BROKER_CLASS, STORAGE_CLASS, Java, Runtime, archive_classes
from deploy.local.kafka.properties import LOG_LAYOUT, server_properties
from deploy.local.kafka.settings import LocalKafkaSettings
from services.runtime import logs
from services.runtime.file_lock import LockedElsewhereError
from services.runtime.parts import first_of
from services.runtime.settings import SettingsError

_PAUSE_SECONDS: Final = 0.05
# It takes six seconds of a processor: not while the other parts of a stack still start.
_ARCHIVE_AFTER_SECONDS: Final = 10.0

_log = logs.get_logger(__name__)


class BrokerError(Exception):
    """The broker could not start or ended by itself; the text is one sentence."""


class Broker:
    """A broker on a data folder that this process holds."""

    def __init__(
        self, settings: LocalKafkaSettings, folder: DataFolder, class_path: tuple[Path, ...]
    ) -> None:
        self._settings = settings
        self._folder = folder
        self._runtime = Runtime(class_path, settings.heap_megabytes, folder)

    def refuse_taken_ports(self) -> None:
        """Raises SettingsError if another program listens where the broker would."""
        for port in (self._settings.port, self._settings.controller_port):
            family = socket.AF_INET6 if ":" in self._settings.host else socket.AF_INET
            with socket.socket(family) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind((self._settings.host, port))
                except OSError:
                    raise SettingsError(
                        f"port {port} of {self._settings.host} is taken; free it, or set local_kafka.listen "
                        "and local_kafka.controller_port to others."
                    ) from None

    async def run(self) -> None:
        """Serves until it is cancelled, and leaves no process; raises BrokerError or TopicsError."""
        self._write_files()
        if not self._folder.is_formatted():
            await self._format()
        java = await Java.start(self._runtime, BROKER_CLASS, str(self._folder.properties_file))
        try:
            await first_of(self._announce_for_ever(), self._until_it_ends(java))
        finally:
            self._folder.ready_file.unlink(missing_ok=True)
            if await java.stop(self._settings.stop_timeout_seconds):
                _log.info("broker_stopped")
            else:
                _log.warning("broker_killed", wait_seconds=self._settings.stop_timeout_seconds)

    async def _format(self) -> None:
        """Gives the folder its identity."""
        # One id in 64 begins with a hyphen, which the tool would read as an option where it stands alone.
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        file = str(self._folder.formatting_properties_file)
        java = await Java.start(self._runtime, STORAGE_CLASS, "format", f"--cluster-id={cluster}", "-c", file)
        try:
            async with asyncio.timeout(self._settings.start_timeout_seconds):
                exit_status = await java.wait()
        except TimeoutError:
            raise BrokerError("the data folder could not be formatted in time.") from None
        finally:
            await java.stop(0)
        if exit_status != 0:
            raise BrokerError(f"the data folder could not be formatted (status {exit_status}).")
        self._folder.finish_formatting()

    async def _until_it_ends(self, java: Java) -> None:
        exit_status = await java.wait()
        raise BrokerError(
            f"the broker's Java process ended unasked (status {exit_status}); its last lines say why."
        )

    async def _announce_for_ever(self) -> None:
        """Announces the broker once it is ready; has an end only where that fails."""
        try:
            async with asyncio.timeout(self._settings.start_timeout_seconds):
                await self._until_it_listens()
                await self._ensure_topics()
        except TimeoutError:
            raise BrokerError(
                f"the broker was not ready after {self._settings.start_timeout_seconds:g} seconds."
            ) from None
        self._folder.announce(self._settings.listen)
        _log.info("broker_ready", address=self._settings.listen, count=len(self._settings.topics))
        await self._archive_classes()
        await asyncio.Event().wait()

    async def _archive_classes(self) -> None:
        """Makes the class archive if there is none, once the start is over; without it the broker runs on."""
        if self._runtime.archive.is_there:
            return
        await asyncio.sleep(_ARCHIVE_AFTER_SECONDS)
        try:
            is_made = await archive_classes(self._runtime)
        except OSError as error:
            _log.warning("classes_not_archived", error_type=type(error).__name__)
        except LockedElsewhereError:
            _log.debug("classes_archived_elsewhere")
        else:
            if is_made:
                _log.info("classes_archived")
            else:
                _log.warning("classes_not_archived")

    async def _until_it_listens(self) -> None:
        """Waits for a listener: the client library logs every connection that is refused."""
        while True:
            try:
                _, writer = await asyncio.open_connection(self._settings.host, self._settings.port)
            except OSError:
                await asyncio.sleep(_PAUSE_SECONDS)
            else:
                writer.close()
                await writer.wait_closed()
                return

    async def _ensure_topics(self) -> None:
        while True:
            try:
                await topics.ensure(self._settings.listen, self._settings.topics)
            except KafkaError as error:
                _log.debug("broker_not_ready_yet", error_type=type(error).__name__)
                await asyncio.sleep(_PAUSE_SECONDS)
            else:
                return

    def _write_files(self) -> None:
        folder, plan = self._folder, self._settings.plan
        folder.log_layout_file.write_text(LOG_LAYOUT, encoding="ascii")
        folder.properties_file.write_text(server_properties(plan), encoding="ascii")
        formatting = dataclasses.replace(plan, log_folder=folder.formatting_folder)
        folder.formatting_properties_file.write_text(server_properties(formatting), encoding="ascii")
