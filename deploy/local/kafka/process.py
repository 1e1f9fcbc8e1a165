"""Joins the local broker with its data folder, and says how they start and stop."""

import asyncio
import contextlib
from typing import Final

from deploy.local.kafka import jars
from deploy.local.kafka.broker import Broker
from deploy.local.kafka.data_folder import DataFolder
from deploy.local.kafka.fetching import fetch_jars
from deploy.local.kafka.settings import LocalKafkaSettings
from services.runtime.parts import Parts

# For as long, the process before may still be stopping.
_HANDOVER_SECONDS: Final = 5.0


def prepare(settings: LocalKafkaSettings) -> None:
    """Puts every jar in its place, which takes minutes the first time; raises JarsError."""
    fetch_jars(settings, prints_progress=False)


def build(settings: LocalKafkaSettings) -> "LocalKafka":
    """Returns a broker whose jars are in their places."""
    return LocalKafka(settings)


class LocalKafka:
    """One broker on a data folder that this process holds."""

    def __init__(self, settings: LocalKafkaSettings) -> None:
        self._settings = settings
        self._folder = DataFolder(settings.data_folder, wait_seconds=_HANDOVER_SECONDS)
        self._holding = contextlib.ExitStack()
        self._serving: asyncio.Task[None] | None = None

    async def start(self, parts: Parts) -> None:
        """Takes the folder and starts Java; DataFolderError or SettingsError where it cannot."""
        self._holding.enter_context(self._folder)
        class_path = jars.class_path(jars.committed_lock(), self._settings.cache_folder)
        broker = Broker(self._settings, self._folder, class_path)
        broker.refuse_taken_ports()
        self._serving = parts.run("broker", broker.run())

    async def drain(self) -> None:
        """Stops Java within `stop_timeout_seconds` and gives the folder back."""
        if self._serving is not None:
            self._serving.cancel()
            await asyncio.wait({self._serving})
        self._holding.close()
