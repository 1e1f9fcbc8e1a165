"""OTLP over gRPC: OpenTelemetry's exporters, made anew when the files of their TLS change."""

from collections.abc import Callable, Sequence
from typing import Any, Generic, Protocol, TypeVar

import grpc
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics.export import MetricExporter, MetricExportResult, MetricsData
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from services.runtime.reloaded_tls import ReloadedTls
from services.runtime.telemetry_settings import TelemetrySettings

_LISTENER = "telemetry.otlp_tls"


class _Closable(Protocol):
    def shutdown(self) -> Any:
        """Ends what it began."""
        ...


Exporter = TypeVar("Exporter", bound=_Closable)


class _Renewed(Generic[Exporter]):
    """One exporter at a time, with what the files held when it was made."""

    def __init__(
        self, settings: TelemetrySettings, make: Callable[[grpc.ChannelCredentials | None], Exporter]
    ) -> None:
        tls = settings.otlp_tls
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

    def close(self) -> None:
        """Closes the one that there is."""
        self._exporter.shutdown()


class SentMetrics(MetricExporter):
    """Metrics to the collector that the settings name; SettingsError where its files are no use."""

    def __init__(self, settings: TelemetrySettings) -> None:
        super().__init__()

        def make(credentials: grpc.ChannelCredentials | None) -> OTLPMetricExporter:
            return OTLPMetricExporter(
                endpoint=settings.otlp_endpoint, insecure=settings.is_otlp_insecure, credentials=credentials
            )

        self._renewed = _Renewed(settings, make)
        first = self._renewed.now()
        super().__init__(first._preferred_temporality, first._preferred_aggregation)  # noqa: SLF001 - as its reader does

    def export(
        self, metrics_data: MetricsData, timeout_millis: float = 10_000, **kwargs: Any
    ) -> MetricExportResult:
        """Sends them."""
        return self._renewed.now().export(metrics_data, timeout_millis, **kwargs)

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

        self._renewed = _Renewed(settings, make)

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Sends them."""
        return self._renewed.now().export(spans)

    def shutdown(self) -> None:
        """Closes the connection."""
        self._renewed.close()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Returns whether nothing waits here, which nothing does."""
        del timeout_millis
        return True
