"""Fetches the jars before the broker starts and says how far it is: in the log, or as JSON lines.

`python -m deploy.local.kafka.fetching --config FILE` does only that, with the lines.
"""

import json
import sys
from pathlib import Path
from typing import Final

from deploy.local.kafka import jars
from deploy.local.kafka.settings import SECTION, LocalKafkaSettings
from services.runtime import logs
from services.runtime.process import run_command

_log = logs.get_logger(__name__)
# About a hundred lines for the whole download, however small the pieces in which it comes.
_LINES: Final = 100


def fetch_jars(settings: LocalKafkaSettings, *, prints_progress: bool) -> tuple[Path, ...]:
    """Returns the class path, with every jar in its place; raises JarsError.

    With `prints_progress` every step is a line on standard output:
    `{"step": "jars", "jars_done": 3, "jars_total": 46, "bytes_done": 1, "bytes_total": 2}`; the last line
    has both pairs equal and comes even if nothing was missing.
    """
    lock = jars.committed_lock()
    complete = jars.Progress(len(lock.jars), len(lock.jars), lock.size_bytes, lock.size_bytes)
    report = _Printed() if prints_progress else _Silent()
    if not jars.are_present(lock, settings.cache_folder):
        _log.info("jars_download_started", count=len(lock.jars))
        # The resolver takes half a second to import, and every start but the first does without.
        from deploy.local.kafka.maven import download  # noqa: PLC0415

        jars.fetch(
            lock,
            settings.cache_folder,
            download=download,
            on_progress=report,
            wait_seconds=settings.fetch_timeout_seconds,
        )
        _log.info("jars_download_finished", count=len(lock.jars))
    report(complete)
    return jars.class_path(lock, settings.cache_folder)


class _Silent:
    def __call__(self, progress: jars.Progress) -> None:
        """Says nothing: the log has the start and the end of the download."""


class _Printed:
    def __init__(self) -> None:
        self._last: tuple[int, int] | None = None

    def __call__(self, progress: jars.Progress) -> None:
        seen = (progress.jars_done, progress.bytes_done * _LINES // progress.bytes_total)
        if seen == self._last:
            return
        self._last = seen
        line = {
            "step": "jars",
            "jars_done": progress.jars_done,
            "jars_total": progress.jars_total,
            "bytes_done": progress.bytes_done,
            "bytes_total": progress.bytes_total,
        }
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()


def main() -> None:
    """Fetches what is missing, prints every step and exits; the statuses are those of `run_process`."""

    def work(settings: LocalKafkaSettings) -> None:
        fetch_jars(settings, prints_progress=True)

    run_command(SECTION, LocalKafkaSettings, work, description=__doc__ or "", failures=(jars.JarsError,))


if __name__ == "__main__":
    main()
