"""Wires the local Kafka broker: `python -m deploy.local.kafka --config FILE [--fetch-only]`."""

import asyncio
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from deploy.local.kafka.broker import Broker, BrokerError
from deploy.local.kafka.data_folder import DataFolder, DataFolderError
from deploy.local.kafka.fetching import bring_jars
from deploy.local.kafka.jars import JarsError
from deploy.local.kafka.settings import SECTION, LocalKafkaSettings
from deploy.local.kafka.topics import TopicsError
from services.runtime import logs
from services.runtime.privacy import keep_private
from services.runtime.settings import from_command_line

_FETCH_ONLY = "--fetch-only"
_DESCRIPTION = f"One Apache Kafka broker on loopback; {_FETCH_ONLY}: bring the jars, say how far, exit."
_HANDOVER_SECONDS = 5.0
_STOPPING_SIGNALS = (signal.SIGTERM, signal.SIGINT)


def main(argv: Sequence[str] | None = None) -> None:
    """Brings the jars, then serves until SIGTERM or SIGINT; one sentence and status 1 if it cannot."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    own = [argument for argument in arguments if argument != _FETCH_ONLY]
    settings = from_command_line(LocalKafkaSettings, section=SECTION, description=_DESCRIPTION, argv=own)
    keep_private()
    logs.configure(process="local-kafka", level=settings.log_level)
    for number in _STOPPING_SIGNALS:
        signal.signal(number, lambda *_: sys.exit(0))
    try:
        class_path = bring_jars(settings, prints_progress=_FETCH_ONLY in arguments)
        if _FETCH_ONLY not in arguments:
            with DataFolder(settings.data_folder, wait_seconds=_HANDOVER_SECONDS) as folder:
                asyncio.run(_serve(settings, folder, class_path))
    except (JarsError, DataFolderError, TopicsError, BrokerError) as error:
        sys.stderr.write(f"comptoir {SECTION}: {error}\n")
        sys.exit(1)


async def _serve(settings: LocalKafkaSettings, folder: DataFolder, class_path: tuple[Path, ...]) -> None:
    stopping = asyncio.Event()
    for number in _STOPPING_SIGNALS:
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    await Broker(settings, folder, class_path).run(stopping)


if __name__ == "__main__":
    main()
