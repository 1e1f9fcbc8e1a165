"""OTLP over gRPC: OpenTelemetry's exporters, made anew when the files of their TLS change."""

import logging
import math
import time
from collections.abc import Callable, Sequence
from typing import Any, Final, Generic, Protocol, TypeVar

import grpc
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics.export import MetricExporter, MetricExportResult, MetricsData
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from services.runtime.logs import get_logger
from services.runtime.reloaded_tls import ReloadedTls
from services.runtime.telemetry_settings import TelemetrySettings

_LISTENER: Final = "telemetry.otlp_tls"
# How often a collector that is away is told of.
_TOLD_AGAIN_SECONDS: Final = 600.0
# It logs an error for each try, which without its text says nothing: `_Renewed` warns in its place.
_LIBRARY: Final = "opentelemetry.exporter.otlp.proto.grpc.exporter"
_log = get_logger(__name__)


class _Closable(Protocol):
    def shutdown(self) -> Any:
        """Ends what it began."""
        ...


Exporter = TypeVar("Exporter", bound=_Closable)
Result = TypeVar("Result")


class _Renewed(Generic[Exporter]):
    """One exporter at a time, with what the files held when it was made; it says when it sends nothing."""

    def __init__(
        self,
        kind: str,
        settings: TelemetrySettings,
        make: Callable[[grpc.ChannelCredentials | None], Exporter],
    ) -> None:
        tls = settings.otlp_tls
        self._kind = kind
        self._failures = 0
        self._told_seconds = -math.inf
        self._is_closed = False
        logging.getLogger(_LIBRARY).setLevel(logging.CRITICAL)
        self._reloaded = None
        if tls is None:
            self._exporter = make(None)
            return
        self._reloaded = ReloadedTls(_LISTENER, tls.files, lambda: make(tls.credentials()))
        self._exporter = self._reloaded.context

    def now(self) -> Exporter:
        """Returns the exporter for the next export; one that it replaces is closed."""
        if self._reloaded is not None:
            self._reloaded.check()
            if self._reloaded.context is not self._exporter:
                self._exporter.shutdown()
                self._exporter = self._reloaded.context
        return self._exporter

    def send(self, work: Callable[[Exporter], Result], failure: Result) -> Result:
        """Sends by the exporter of now; `failure` where the end came between."""
        try:
            result = work(self.now())
        except ValueError:
            # So gRPC says that the connection was closed meanwhile.
            if not self._is_closed:
                raise
            return failure
        self._note(is_sent=result != failure)
        return result

    def close(self) -> None:
        """Closes the one that there is."""
        self._is_closed = True
        self._exporter.shutdown()

    def _note(self, *, is_sent: bool) -> None:
        """Says now and then that nothing is taken, and once that it is again."""
        if is_sent:
            if self._failures:
                _log.info("telemetry_sent_again", kind=self._kind, count=self._failures)
            self._failures, self._told_seconds = 0, -math.inf
            return
        self._failures += 1
        now_seconds = time.monotonic()
        if now_seconds - self._told_seconds >= _TOLD_AGAIN_SECONDS:
            self._told_seconds = now_seconds
            _log.warning("telemetry_not_sent", kind=self._kind, count=self._failures)


class SentMetrics(MetricExporter):
    """Metrics to the collector that the settings name; SettingsError where its files are no use."""

    def __init__(self, settings: TelemetrySettings) -> None:
        super().__init__()

        def make(credentials: grpc.ChannelCredentials | None) -> OTLPMetricExporter:
            return OTLPMetricExporter(
                endpoint=settings.otlp_endpoint, insecure=settings.is_otlp_insecure, credentials=credentials
            )

        self._renewed = _Renewed("metrics", settings, make)
        first = self._renewed.now()
        super().__init__(first._preferred_temporality, first._preferred_aggregation)  # noqa: SLF001 - as its reader does

    def export(
        self, metrics_data: MetricsData, timeout_millis: float = 10_000, **kwargs: Any
    ) -> MetricExportResult:
        """Sends them."""
        return self._renewed.send(
            lambda exporter: exporter.export(metrics_data, timeout_millis, **kwargs),
            MetricExportResult.FAILURE,
        )

    def force_flush(self, timeout_millis: float = 10_000) -> bool:
        """Returns whether nothing waits here, which nothing does."""
        del timeout_millis
        return True

    def shutdown(self, timeout_millis: float = 30_000, **kwargs: Any) -> None:
        """Closes the connection."""
        del timeout_millis, kwargs
        self._renewed.close()


class SentSpans(SpanExporter):
    """Spans to the collector that the settings name; SettingsError where its files are no use."""

    def __init__(self, settings: TelemetrySettings) -> None:
        def make(credentials: grpc.ChannelCredentials | None) -> OTLPSpanExporter:
            return OTLPSpanExporter(
                endpoint=settings.otlp_endpoint, insecure=settings.is_otlp_insecure, credentials=credentials
            )

        self._renewed = _Renewed("spans", settings, make)

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Sends them."""
        return self._renewed.send(lambda exporter: exporter.export(spans), SpanExportResult.FAILURE)

    def shutdown(self) -> None:
        """Closes the connection."""
        self._renewed.close()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Returns whether nothing waits here, which nothing does."""
        del timeout_millis
        return True
