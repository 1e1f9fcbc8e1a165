"""vLLM's log records in its own and in its child processes: where they come from, not what they say."""

import json
import logging
import sys
from datetime import UTC, datetime


class PlaceHandler(logging.Handler):
    """Writes one JSON line per record, as `services.runtime.logs` does for other libraries."""

    def emit(self, record: logging.LogRecord) -> None:
        """Writes the record's place and the type of its exception."""
        error_type = record.exc_info[0] if record.exc_info else None
        line = {
            "library": record.name,
            "module": record.module,
            "line": record.lineno,
            "event": "library_message",
            "level": record.levelname.lower(),
            "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "process": "engine",
        }
        if error_type is not None:
            line["error_type"] = error_type.__name__
        sys.stderr.write(json.dumps(line) + "\n")
