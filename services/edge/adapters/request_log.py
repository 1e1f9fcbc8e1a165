"""One line and one measurement per request: numbers and names of the code, nothing that a client wrote."""

from collections.abc import Mapping
from typing import Final

from services.edge.adapters.request_spans import request_span
from services.edge.domain.openai.paths import PATHS
from services.edge.domain.ports import UsageReports
from services.edge.domain.timeline import EdgeRequest
from services.runtime.logs import get_logger
from services.runtime.metrics.registry import edge as metrics
from services.runtime.telemetry import histogram
from services.runtime.tracing import SPANS

_log = get_logger(__name__)
_METHODS: Final = frozenset(metrics.METHODS)
# From this status on it is the service that failed.
_FAILED: Final = 500


class RequestLog:
    """The UsageReports port: writes the access line, measures, and hands the event on."""

    def __init__(self, reports: UsageReports, model_names: Mapping[int, str], *, is_secured: bool) -> None:
        self._reports = reports
        self._scheme = "https" if is_secured else "http"
        self._names = model_names
        self._models = {number: {"gen_ai.request.model": name} for number, name in model_names.items()}
        # A logger that is not bound is bound anew for every line.
        self._log = _log.bind()
        self._durations = histogram(metrics.REQUEST_DURATION)
        self._first_texts = histogram(metrics.FIRST_TEXT)

    def report(self, event: EdgeRequest) -> None:
        """Takes one request that ended."""
        route, seconds = PATHS.get(event.endpoint, "other"), event.ended_seconds - event.received_seconds
        method = event.http_method if event.http_method in _METHODS else metrics.OTHER_METHOD
        self._durations.record(
            seconds,
            {
                "http.request.method": method,
                "url.scheme": self._scheme,
                "http.route": route,
                "http.response.status_code": event.http_status,
                "reason": event.reason.name,
                **_error_type(event),
            },
        )
        ttft_seconds = None
        if event.is_streamed and event.first_text_seconds:
            ttft_seconds = event.first_text_seconds - event.received_seconds
            self._first_texts.record(ttft_seconds, self._models.get(event.model_number))
        given = event.client_request_id
        log = self._log
        log.info(
            "request",
            request_id=event.request_id.hex,
            client_request_id=None if given is None else given.hex,
            route=route,
            http_status=event.http_status,
            reason=event.reason.name,
            model_number=event.model_number,
            input_tokens=event.input_tokens,
            output_tokens=event.output_tokens,
            ttft_seconds=ttft_seconds,
            duration_seconds=seconds,
        )
        if SPANS.is_sampled(event.request_id):
            SPANS.end(event.request_id, request_span(event, self._names))
        self._reports.report(event)


def _error_type(event: EdgeRequest) -> Mapping[str, str]:
    """Returns what the service failed a request with; nothing for what its client has to change or ended.

    A stream that breaks off has its 200 already: of it, the reason says so.
    """
    if event.reason and event.reason.row.http_status >= _FAILED:
        return {"error.type": event.reason.name}
    return {"error.type": str(event.http_status)} if event.http_status >= _FAILED else {}
