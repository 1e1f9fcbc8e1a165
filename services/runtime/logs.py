"""JSON log lines of allow-listed fields; what is not on the list does not leave the process."""

import logging
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

# Numbers, enums and names from the catalog or the code. Nothing here can carry what a caller wrote.
ALLOWED_FIELDS = frozenset(
    {
        "accepted",
        "address",
        "attempt",
        "bytes_in",
        "bytes_out",
        "clickhouse_code",
        "config_digest",
        "count",
        "duration_seconds",
        "duplicates",
        "error_type",
        "event",
        "exit_status",
        "finish_reason",
        "first_sequence",
        "frames",
        "grpc_status",
        "http_status",
        "input_tokens",
        "is_draining",
        "is_ready",
        "kind",
        "lag_frames",
        "level",
        "library",
        "line",
        "method",
        "migration",
        "model_number",
        "module",
        "offset",
        "outcome",
        "output_tokens",
        "partition",
        "pid",
        "port",
        "process",
        "query_id",
        "reason",
        "region_number",
        "remaining",
        "replica",
        "request_id",
        "retention_days",
        "retry_after_seconds",
        "rows",
        "section",
        "state",
        "status",
        "timestamp",
        "topic",
        "user_kind",
        "version",
        "wait_seconds",
    }
)


def configure(process: str, level: str = "info") -> None:
    """Sends this process's log lines to standard error as JSON, libraries' lines without their message.

    A library's message may quote what a caller wrote, so only its place in the code is logged.
    """
    threshold = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _Stamp(process),
            _keep_allowed,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=False,
    )
    logging.raiseExceptions = False  # its report of a bad log call would print the arguments
    root = logging.getLogger()
    root.handlers = [_LibraryHandler()]
    root.setLevel(max(threshold, logging.WARNING))


def get_logger(name: str) -> Any:  # structlog's bound loggers are typed as Any
    """A logger; call it as `log.info("lease_expired", count=3)` with allow-listed fields."""
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
    return {key: value for key, value in fields.items() if key in ALLOWED_FIELDS}


class _LibraryHandler(logging.Handler):
    """Turns a library's record into a line that says where it came from and not what it said."""

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[0] if record.exc_info else None
        structlog.get_logger().log(
            record.levelno,
            "library_message",
            library=record.name,
            module=record.module,
            line=record.lineno,
            **({"error_type": error.__name__} if error else {}),
        )
