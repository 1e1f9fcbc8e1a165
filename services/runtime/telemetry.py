"""OpenTelemetry set-up: nothing leaves the process unless an OTLP address is configured."""

from collections.abc import Callable

from opentelemetry import metrics, trace
from opentelemetry.metrics import Counter, Histogram, Observation
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from services.runtime.metric_names import MetricName
from services.runtime.settings import TelemetrySettings

# A collector that is away must not hold up a drain.
_SHUTDOWN_MILLISECONDS = 3_000


class Telemetry:
    """The providers of one process."""

    def __init__(self, meters: MeterProvider | None, tracers: TracerProvider | None) -> None:
        self._meters = meters
        self._tracers = tracers

    def shutdown(self) -> None:
        """Sends what is left and stops."""
        if self._meters is not None:
            self._meters.shutdown(timeout_millis=_SHUTDOWN_MILLISECONDS)
        if self._tracers is not None:
            self._tracers.shutdown()


def configure(settings: TelemetrySettings, process: str) -> Telemetry:
    """Starts export to the configured address; without one, all instruments stay no-ops."""
    if not settings.otlp_endpoint:
        return Telemetry(None, None)
    # The exporters cost 0.1 s to import, and most processes on one machine never export.
    from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter  # noqa: PLC0415
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter  # noqa: PLC0415

    resource = Resource.create({"service.name": f"comptoir-{process}"})
    endpoint, insecure = settings.otlp_endpoint, settings.is_otlp_insecure
    reader = PeriodicExportingMetricReader(
        OTLPMetricExporter(endpoint=endpoint, insecure=insecure),
        export_interval_millis=settings.metric_interval_seconds * 1000,
    )
    meters = MeterProvider(metric_readers=[reader], resource=resource)
    tracers = TracerProvider(resource=resource)
    tracers.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint, insecure=insecure)))
    metrics.set_meter_provider(meters)
    trace.set_tracer_provider(tracers)
    return Telemetry(meters, tracers)


def counter(name: MetricName, *, unit: str, description: str) -> Counter:
    """A sum that only grows."""
    return metrics.get_meter("comptoir").create_counter(name, unit=unit, description=description)


def read_counter(name: MetricName, *, unit: str, description: str, read: Callable[[], float]) -> None:
    """A sum that only grows, kept elsewhere, which `read` tells at every collection."""
    metrics.get_meter("comptoir").create_observable_counter(
        name, callbacks=[lambda _options: [Observation(read())]], unit=unit, description=description
    )


def histogram(name: MetricName, *, unit: str, description: str) -> Histogram:
    """A distribution."""
    return metrics.get_meter("comptoir").create_histogram(name, unit=unit, description=description)


def gauge(name: MetricName, *, unit: str, description: str, read: Callable[[], float]) -> None:
    """A value that `read` tells at every collection."""
    metrics.get_meter("comptoir").create_observable_gauge(
        name, callbacks=[lambda _options: [Observation(read())]], unit=unit, description=description
    )
