"""What happens to the processes of a stack, a JSON line each, with its cause."""

import contextlib
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from deploy.local.stack.log_files import open_log
from services.kernel.clock import Clock

Level = Literal["info", "warning", "error"]


class Journal:
    """Appends to the supervisor's log; a full disk loses a line and stops nothing."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path = path
        self._clock = clock

    def write(self, event: str, *, level: Level = "info", **fields: object) -> None:
        """Writes one line; `fields` are names and numbers of the stack's own."""
        line = {"timestamp": iso(self._clock), "level": level, "event": event, **fields}
        with contextlib.suppress(OSError), open_log(self._path) as log:
            log.write((json.dumps(line) + "\n").encode())


def iso(clock: Clock) -> str:
    """Returns the wall clock in UTC, as ISO 8601 with seconds."""
    moment = datetime.fromtimestamp(clock.wall_microseconds() / 1_000_000, UTC)
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")
