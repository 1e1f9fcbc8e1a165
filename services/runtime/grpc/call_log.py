"""What is measured and logged of every call, and which error leaves of one that failed."""

import asyncio
import logging
from typing import Final

import grpc
import structlog

from services.kernel.clock import Clock
from services.kernel.errors import ComptoirError, Reason, forget_frames
from services.kernel.identity import Identity
from services.runtime.grpc.status import STATUS
from services.runtime.logs import get_logger, is_written, log_failure
from services.runtime.metrics.registry import shared as metrics
from services.runtime.telemetry import counter, histogram

_log = get_logger(__name__)
# Nobody waits for these: the caller went, or was told already.
_UNTOLD: Final = (asyncio.CancelledError, GeneratorExit, grpc.aio.AbortError)


class CallLog:
    """The calls of one server: a duration and a line for each, and a count of unexpected failures."""

    def __init__(self, clock: Clock, *, level: int = logging.DEBUG) -> None:
        self._clock = clock
        self._level = level
        self._durations = histogram(metrics.RPC_DURATION)
        self._internal = counter(metrics.RPC_INTERNAL_ERRORS)

    def start(self, method: str, request_id: str) -> "CallRecord":
        """Returns the record of a call that begins now."""
        return CallRecord(self, method, request_id, self.now_seconds())

    def now_seconds(self) -> float:
        """Returns monotonic seconds."""
        return self._clock.monotonic_seconds()

    def write(self, method: str, status: str, reason: str, seconds: float) -> None:
        """Counts a call that ended and logs its line."""
        self._durations.record(seconds, {"method": method, "status": status})
        # A logger that is asked itself costs 10 µs for a line that it does not write.
        if is_written(self._level):
            _log.log(
                self._level,
                "call",
                method=method,
                grpc_status=status,
                reason=reason,
                duration_seconds=seconds,
            )

    def write_unexpected(self, method: str, error: Exception) -> None:
        """Counts an unexpected failure and logs its type and place."""
        self._internal.add(1, {"error.type": type(error).__name__})
        log_failure(_log, "call_failed", error, method=method)


def name_request(request_id: Identity) -> None:
    """Gives a call its request's id where that is known only now; its own line has it too."""
    structlog.contextvars.bind_contextvars(request_id=request_id.hex)


class CallRecord:
    """One call, from its beginning to its end."""

    def __init__(self, log: CallLog, method: str, request_id: str, started_seconds: float) -> None:
        self._log = log
        self._method = method
        self._request_id = request_id
        self._started_seconds = started_seconds

    def bind(self) -> None:
        """Gives the request id to every log line of the current task."""
        structlog.contextvars.bind_contextvars(request_id=self._request_id)

    def end(self, error: BaseException | None) -> ComptoirError | None:
        """Returns the error that the caller is told, None where there is none or nobody is told."""
        reason = error.reason.name if isinstance(error, ComptoirError) else ""
        seconds = self._log.now_seconds() - self._started_seconds
        self._log.write(self._method, _status_of(error).name, reason, seconds)
        told = self._told(error)
        if error is not None:
            forget_frames(error)
        return told

    def _told(self, error: BaseException | None) -> ComptoirError | None:
        if isinstance(error, ComptoirError):
            return error
        if isinstance(error, _UNTOLD) or not isinstance(error, Exception):
            return None
        self._log.write_unexpected(self._method, error)
        return ComptoirError(Reason.INTERNAL)


def _status_of(error: BaseException | None) -> grpc.StatusCode:
    if error is None:
        return grpc.StatusCode.OK
    if isinstance(error, ComptoirError):
        return STATUS[error.reason]
    if isinstance(error, (asyncio.CancelledError, GeneratorExit)):
        return grpc.StatusCode.CANCELLED
    return grpc.StatusCode.INTERNAL
