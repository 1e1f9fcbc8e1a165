"""OpenTelemetry set-up: nothing leaves the process unless an address to send to or to listen on is set."""

from collections.abc import Callable, Mapping
from typing import Final

from opentelemetry import metrics, trace
from opentelemetry.metrics import Histogram, Observation
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricReader, PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from prometheus_client import CollectorRegistry

from services.runtime.metrics.endpoint import MetricsEndpoint
from services.runtime.metrics.listen import MetricsListen
from services.runtime.metrics.names import NO_ALIASES, Aliases, MetricName
from services.runtime.settings import MeteredSettings, TelemetrySettings

# A collector that is away must not hold up a drain.
_SHUTDOWN_MILLISECONDS: Final = 3_000
# By unit, the upper bounds of a histogram's buckets. Seconds: from a step of an engine to a long answer.
_BUCKETS: Final[Mapping[str, tuple[float, ...]]] = {
    "s": (
        *(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5),
        *(1.0, 2.5, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0),
    ),
    "{token}": tuple(float(4**power) for power in range(12)),
}


class Telemetry:
    """The providers of one process, and the port where its metrics are read."""

    def __init__(self) -> None:
        self.meters: MeterProvider | None = None
        self.tracers: TracerProvider | None = None
        self._endpoint: MetricsEndpoint | None = None
        self._to_show: tuple[MetricsListen, CollectorRegistry] | None = None

    def will_show(self, listen: MetricsListen, registry: CollectorRegistry) -> None:
        """Says where `show` listens."""
        self._to_show = listen, registry

    def show(self) -> None:
        """Opens the operations port, if there is one to be; SettingsError where it is taken.

        It starts a thread: what forks does so before.
        """
        if self._to_show is not None:
            self._endpoint = MetricsEndpoint(*self._to_show)

    def shutdown(self) -> None:
        """Sends what is left and stops."""
        if self._endpoint is not None:
            self._endpoint.close()
        if self.meters is not None:
            self.meters.shutdown(timeout_millis=_SHUTDOWN_MILLISECONDS)
        if self.tracers is not None:
            self.tracers.shutdown()


def configure(settings: MeteredSettings, process: str, *, aliases: Aliases = NO_ALIASES) -> Telemetry:
    """Starts export as the settings say; without an address, all instruments stay no-ops.

    `aliases` are further names under which `/metrics` shows what it reads.
    """
    sent, listen, telemetry = settings.telemetry, settings.metrics_listen, Telemetry()
    readers: list[MetricReader] = []
    resource = Resource.create({"service.name": f"comptoir-{process}"})
    if sent.otlp_endpoint:
        readers.append(_sending_reader(sent))
        telemetry.tracers = _tracers(sent, resource)
    if listen is not None:
        from services.runtime.metrics.prometheus import shown_reader  # noqa: PLC0415 - as below

        reader, registry = shown_reader(aliases)
        readers.append(reader)
        telemetry.will_show(listen, registry)
    if readers:
        telemetry.meters = MeterProvider(metric_readers=readers, resource=resource)
        metrics.set_meter_provider(telemetry.meters)
    return telemetry


# The exporters cost 0.1 s each to import, and a process that does not export goes without.


def _sending_reader(settings: TelemetrySettings) -> MetricReader:
    from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter  # noqa: PLC0415

    exporter = OTLPMetricExporter(endpoint=settings.otlp_endpoint, insecure=settings.is_otlp_insecure)
    return PeriodicExportingMetricReader(
        exporter, export_interval_millis=settings.metric_interval_seconds * 1000
    )


def _tracers(settings: TelemetrySettings, resource: Resource) -> TracerProvider:
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter  # noqa: PLC0415

    tracers = TracerProvider(resource=resource)
    exporter = OTLPSpanExporter(endpoint=settings.otlp_endpoint, insecure=settings.is_otlp_insecure)
    tracers.add_span_processor(BatchSpanProcessor(exporter))
    trace.set_tracer_provider(tracers)
    return tracers


class Counter:
    """A sum that only grows, for each set of attributes.

    It is added up here and read at every collection: OpenTelemetry's own counter takes 5 µs at every `add`.
    """

    def __init__(self) -> None:
        self._sums: dict[tuple[tuple[str, str], ...], float] = {}

    def add(self, amount: float, attributes: Mapping[str, str] | None = None) -> None:
        """Adds to the sum of these attributes, which come in one order."""
        key = tuple(attributes.items()) if attributes else ()
        self._sums[key] = self._sums.get(key, 0) + amount

    def observations(self, _options: object) -> list[Observation]:
        """Returns every sum."""
        return [Observation(total, dict(key)) for key, total in list(self._sums.items())]


_counters: Final[dict[MetricName, Counter]] = {}


def counter(name: MetricName, *, unit: str, description: str) -> Counter:
    """Returns a sum that only grows; the same one for the same name."""
    if (found := _counters.get(name)) is None:
        found = _counters[name] = Counter()
        metrics.get_meter("comptoir").create_observable_counter(
            name, callbacks=[found.observations], unit=unit, description=description
        )
    return found


def read_counter(
    name: MetricName,
    *,
    unit: str,
    description: str,
    read: Callable[[], float],
    attributes: Mapping[str, str] | None = None,
) -> None:
    """Shows a sum that only grows, kept elsewhere, which `read` tells at every collection."""
    metrics.get_meter("comptoir").create_observable_counter(
        name,
        callbacks=[lambda _options: [Observation(read(), attributes)]],
        unit=unit,
        description=description,
    )


def histogram(name: MetricName, *, unit: str, description: str) -> Histogram:
    """Returns a distribution, in buckets that fit its unit."""
    return metrics.get_meter("comptoir").create_histogram(
        name, unit=unit, description=description, explicit_bucket_boundaries_advisory=_BUCKETS.get(unit)
    )


def gauge(
    name: MetricName,
    *,
    unit: str,
    description: str,
    read: Callable[[], float],
    attributes: Mapping[str, str] | None = None,
) -> None:
    """Shows a value that `read` tells at every collection."""
    metrics.get_meter("comptoir").create_observable_gauge(
        name,
        callbacks=[lambda _options: [Observation(read(), attributes)]],
        unit=unit,
        description=description,
    )
