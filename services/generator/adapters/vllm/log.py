"""vLLM's log records in its own and in its child processes: where they come from, not what they say."""

import contextlib
import json
import logging
import multiprocessing
import os
import sys
from datetime import UTC, datetime
from typing import Final

from services.runtime.error_places import causes_of, places_of

_NOT_STARTED: Final = "EngineCore failed to start."


def hush() -> None:
    """Leaves this process no voice but the handler's.

    An engine's process that ends by an exception would print all that the exception says.
    """
    sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123 - for the rest of the process


class PlaceHandler(logging.Handler):
    """Writes one JSON line per record, as `services.runtime.logs` does for other libraries."""

    def __init__(self, level: int | str = logging.NOTSET) -> None:
        super().__init__(level)
        # An engine's process that is no copy of this one makes its own handler.
        if multiprocessing.parent_process() is not None:
            hush()

    def emit(self, record: logging.LogRecord) -> None:
        """Writes the record's place, and its exception's type, places and causes."""
        line: dict[str, object] = {
            "library": record.name,
            "module": record.module,
            "line": record.lineno,
            "event": "library_message",
            "level": record.levelname.lower(),
            "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "process": "engine",
        }
        error = record.exc_info[1] if record.exc_info else None
        if error is not None:
            line |= {
                "error_type": type(error).__name__,
                "places": places_of(error),
                "causes": causes_of(error),
            }
        if record.msg == _NOT_STARTED:
            # No request has come yet, so its own words hold none, and they say what to change.
            sys.stderr = sys.__stderr__
        # The real one, since in an engine's process the other is hushed. A full disk loses a line.
        if sys.__stderr__ is not None:
            with contextlib.suppress(OSError, ValueError):
                sys.__stderr__.write(json.dumps(line) + "\n")
                sys.__stderr__.flush()
