"""Log lines of allow-listed fields; what is not on the list does not leave the process."""

import contextlib
import json
import logging
import math
import sys
import threading
import time
from collections.abc import MutableMapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final

import structlog

from services.runtime.log_lines import readable

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

# Numbers, enums and names from the catalog or the code. Nothing here can carry what a caller wrote.
ALLOWED_FIELDS: Final = frozenset(
    {
        "address",
        "behind_seconds",
        "bytes_in",
        "bytes_out",
        "clickhouse_code",
        "client_request_id",
        "count",
        "dtype",
        "duration_seconds",
        "error_type",
        "event",
        "field",
        "first_sequence",
        "grpc_status",
        "http_status",
        "input_tokens",
        "key_number",
        "kind",
        "known_version",
        "level",
        "library",
        "line",
        "method",
        "migration",
        "model_number",
        "module",
        "offset",
        "output_tokens",
        "offset_seconds",
        "partition",
        "port",
        "process",
        "reason",
        "replica",
        "request_id",
        "retention_days",
        "route",
        "rows",
        "state",
        "tenant_number",
        "timestamp",
        "topic",
        "ttft_seconds",
        "user_kind",
        "version",
        "wait_seconds",
    }
)

# A line of a library's place in the code is written this often at most.
_AGAIN_SECONDS: Final = 10.0

_threshold = logging.NOTSET

# Made once: the library's renderer makes one for every line, which costs more than to use it.
_JSON: Final = json.JSONEncoder(default=repr)


def configure(process: str, level: str = "info") -> None:
    """Sends this process's log lines to standard error: readable on a terminal, as JSON anywhere else.

    A library's message may quote what a caller wrote, so only its place in the code is logged.
    """
    global _threshold  # noqa: PLW0603 - as structlog's own configuration, which is one for the process
    threshold = _threshold = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _Stamp(process),
            _keep_allowed,
            _readable if sys.stderr.isatty() else _as_json,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=_LineWriter,
        cache_logger_on_first_use=False,
    )
    logging.raiseExceptions = False  # its report of a bad log call would print the arguments
    root = logging.getLogger()
    root.handlers = [_LibraryHandler()]
    root.setLevel(max(threshold, logging.WARNING))
    logging.captureWarnings(capture=True)
    sys.excepthook = _log_uncaught
    sys.unraisablehook = _log_unraisable
    threading.excepthook = _log_thread_failure


def is_written(level: int) -> bool:
    """Tells whether lines of a level are written, for those who would have much to do for a line."""
    return level >= _threshold


def get_logger(name: str) -> Any:  # structlog's bound loggers are typed as Any
    """Returns a logger; call it as `log.info("lease_expired", count=3)` with allow-listed fields."""
    return structlog.get_logger(module=name)


def log_failure(log: Any, event: str, error: BaseException, **fields: object) -> None:
    """Logs a failure by the type of its exception and the place that raised it, never by its text."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = (
        {}
        if trace is None
        else {"module": trace.tb_frame.f_globals.get("__name__", ""), "line": trace.tb_lineno}
    )
    log.error(event, error_type=type(error).__name__, **{**fields, **place})


class _LineWriter:
    """Writes lines to standard error; a full disk or a closed terminal loses a line and breaks no call."""

    def __init__(self, *_names: object) -> None:
        pass

    def write(self, line: str) -> None:
        """Writes one line at once, so that lines of several processes do not mix."""
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.write(line + "\n")
            sys.stderr.flush()

    log = debug = info = warning = error = critical = write


class _Stamp:
    def __init__(self, process: str) -> None:
        self._process = process

    def __call__(
        self, _logger: object, _method: str, fields: MutableMapping[str, Any]
    ) -> MutableMapping[str, Any]:
        fields["process"] = self._process
        return fields


def _keep_allowed(
    _logger: object, _method: str, fields: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    return {key: value for key, value in fields.items() if key in ALLOWED_FIELDS and value is not None}


def _as_json(_logger: object, _method: str, fields: MutableMapping[str, Any]) -> str:
    return _JSON.encode(fields)


def _readable(_logger: object, _method: str, fields: MutableMapping[str, Any]) -> str:
    return readable(fields)


class _LibraryHandler(logging.Handler):
    """Turns a library's record into a line that says where it came from and not what it said.

    A place that logs again and again has a line now and then, which says how many there were: without their
    texts they are all the same.
    """

    def __init__(self) -> None:
        super().__init__()
        # By what a line would say: when one was written last, and how many were not since.
        self._told: dict[tuple[object, ...], tuple[float, int]] = {}

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[0] if record.exc_info else None
        place = (record.name, record.module, record.lineno, record.levelno, error)
        told_seconds, count = self._told.get(place, (-math.inf, 0))
        now_seconds = time.monotonic()
        if now_seconds - told_seconds < _AGAIN_SECONDS:
            self._told[place] = (told_seconds, count + 1)
            return
        self._told[place] = (now_seconds, 0)
        structlog.get_logger().log(
            # Libraries invent levels; the nearest one below has a name.
            min(max(record.levelno // 10 * 10, logging.DEBUG), logging.CRITICAL),
            "library_message",
            library=record.name,
            module=record.module,
            line=record.lineno,
            **({"error_type": error.__name__} if error else {}),
            **({"count": count + 1} if count else {}),
        )


# The interpreter's own reports would print the text of the exception; these say its type and place.


def _log_uncaught(
    kind: type[BaseException], error: BaseException | None, _trace: TracebackType | None
) -> None:
    log_failure(get_logger(__name__), "uncaught", kind() if error is None else error)


def _log_unraisable(unraisable: "UnraisableHookArgs") -> None:
    if unraisable.exc_value is not None:
        log_failure(get_logger(__name__), "uncaught", unraisable.exc_value)


def _log_thread_failure(failure: threading.ExceptHookArgs) -> None:
    # A thread may end by SystemExit, as a process may.
    if failure.exc_value is not None and failure.exc_type is not SystemExit:
        log_failure(get_logger(__name__), "uncaught", failure.exc_value)
