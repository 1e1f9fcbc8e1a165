"""OpenTelemetry set-up: nothing leaves the process unless an address to send to or to listen on is set."""

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from importlib.metadata import version
from typing import Final, TypeAlias

from opentelemetry import metrics
from opentelemetry.metrics import Histogram, Observation
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricReader, PeriodicExportingMetricReader
from opentelemetry.sdk.metrics.view import View
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from prometheus_client import CollectorRegistry

from services.kernel.catalog import Catalog
from services.kernel.identity import Identity
from services.runtime.logs import get_logger, log_failure
from services.runtime.metrics.aliases import NO_ALIASES, Aliases
from services.runtime.metrics.endpoint import MetricsEndpoint
from services.runtime.metrics.listen import MetricsListen
from services.runtime.metrics.metric import Counter, Gauge, Metric
from services.runtime.metrics.metric import Histogram as HistogramMetric
from services.runtime.metrics.registry.all import METRICS
from services.runtime.probes import PROBES
from services.runtime.settings import MeteredSettings
from services.runtime.telemetry_settings import TelemetrySettings
from services.runtime.tracing import SPANS

# A collector that is away must not hold up a drain.
_SHUTDOWN_MILLISECONDS: Final = 3_000
# How often one that cannot be read is told of.
_TOLD_AGAIN_SECONDS: Final = 600.0
_log = get_logger(__name__)


class Telemetry:
    """The providers of one process, and the port where its metrics are read."""

    def __init__(self) -> None:
        self.meters: MeterProvider | None = None
        self.spans: BatchSpanProcessor | None = None
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
            self._endpoint = MetricsEndpoint(*self._to_show, PROBES)

    def shutdown(self) -> None:
        """Sends what is left and stops."""
        if self._endpoint is not None:
            self._endpoint.close()
        ends: list[Callable[[], object]] = []
        if self.meters is not None:
            ends.append(partial(self.meters.shutdown, timeout_millis=_SHUTDOWN_MILLISECONDS))
        if self.spans is not None:
            SPANS.close()
            # It would wait for half a minute for a collector that is away.
            ends.append(self.spans.shutdown)
        _side_by_side(ends, _SHUTDOWN_MILLISECONDS / 1000)


def configure(settings: MeteredSettings, process: str, *, aliases: Aliases = NO_ALIASES) -> Telemetry:
    """Starts export as the settings say; without an address, all instruments stay no-ops.

    `aliases` are further names under which `/metrics` shows what it reads.
    """
    sent, listen, telemetry = settings.telemetry, settings.metrics_listen, Telemetry()
    readers: list[MetricReader] = []
    # What is read is ended first: a sender whose collector is away takes all the time that there is.
    if listen is not None:
        from services.runtime.metrics.prometheus import shown_reader  # noqa: PLC0415 - as below

        reader, registry = shown_reader(aliases)
        readers.append(reader)
        telemetry.will_show(listen, registry)
    resource = Resource.create(
        {
            "service.namespace": "comptoir",
            "service.name": f"comptoir-{process}",
            "service.version": version("comptoir"),
            "service.instance.id": Identity.random().hex,
            "comptoir.region": settings.region,
        }
    )
    if sent.otlp_endpoint:
        readers.append(_sending_reader(sent))
        telemetry.spans = _spans(sent, resource, settings.catalog)
    if readers:
        telemetry.meters = MeterProvider(
            metric_readers=readers,
            resource=resource,
            # `shutdown` does it, once and within its bound.
            shutdown_on_exit=False,
            views=[_view(metric) for metric in METRICS.values()],
        )
        metrics.set_meter_provider(telemetry.meters)
    return telemetry


def _view(metric: Metric) -> View:
    """Returns what lets no other attributes than the declared ones out, nor more series."""
    return View(
        instrument_name=metric.name,
        attribute_keys={_OVERFLOW[0][0], *(attribute.name for attribute in metric.attributes)},
        aggregation_cardinality_limit=metric.series_limit,
    )


def _side_by_side(ends: Sequence[Callable[[], object]], within_seconds: float) -> None:
    """Does all of them at once, and leaves alone what has not ended in time: it ends with the process."""
    threads = [threading.Thread(target=end, name="telemetry-end", daemon=True) for end in ends]
    for thread in threads:
        thread.start()
    over_seconds = time.monotonic() + within_seconds
    for thread in threads:
        thread.join(max(0.0, over_seconds - time.monotonic()))


# The exporters cost 0.1 s each to import, and a process that does not export goes without.


def _sending_reader(settings: TelemetrySettings) -> MetricReader:
    from services.runtime.otlp import SentMetrics  # noqa: PLC0415

    interval = settings.metric_interval_seconds * 1000
    return PeriodicExportingMetricReader(SentMetrics(settings), export_interval_millis=interval)


def _spans(settings: TelemetrySettings, resource: Resource, catalog: Catalog) -> BatchSpanProcessor | None:
    if not settings.trace_ratio:
        return None
    from services.runtime.otlp import SentSpans  # noqa: PLC0415

    spans = BatchSpanProcessor(SentSpans(settings))
    models = frozenset(catalog.model_names.values())
    SPANS.open(spans.on_end, resource, ratio=settings.trace_ratio, models=models)
    return spans


Observations: TypeAlias = Iterable[tuple[float, Mapping[str, str]]]


class Sums:
    """A sum that only grows, for each set of attributes.

    It is added up here and read at every collection: OpenTelemetry's own counter takes 5 µs at every `add`.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._sums: dict[tuple[tuple[str, str], ...], float] = {}

    def add(self, amount: float, attributes: Mapping[str, str] | None = None) -> None:
        """Adds to the sum of these attributes, which come in one order."""
        key = tuple(attributes.items()) if attributes else ()
        known = self._sums.get(key)
        if known is None and len(self._sums) >= self._limit:
            key = _OVERFLOW
            known = self._sums.get(key)
        self._sums[key] = (known or 0) + amount

    def observations(self, _options: object) -> list[Observation]:
        """Returns every sum."""
        return [Observation(total, dict(key)) for key, total in list(self._sums.items())]


# As OpenTelemetry calls what found no room.
_OVERFLOW: Final = (("otel.metric.overflow", "true"),)
_counters: Final[dict[str, Sums]] = {}


def counter(metric: Counter) -> Sums:
    """Returns a sum that only grows; the same one for the same metric."""
    if (found := _counters.get(metric.name)) is None:
        found = _counters[metric.name] = Sums(metric.series_limit)
        _observable_counter(metric, found.observations)
    return found


def read_counter(
    metric: Counter, *, read: Callable[[], float], attributes: Mapping[str, str] | None = None
) -> None:
    """Shows a sum that only grows, kept elsewhere, which `read` tells at every collection."""
    _observable_counter(metric, lambda _options: [Observation(read(), attributes)])


def histogram(metric: HistogramMetric) -> Histogram:
    """Returns a distribution, in the buckets of its metric."""
    return metrics.get_meter("comptoir").create_histogram(
        metric.name,
        unit=metric.unit,
        description=metric.meaning,
        explicit_bucket_boundaries_advisory=metric.bounds,
    )


def gauge(metric: Gauge, *, read: Callable[[], float], attributes: Mapping[str, str] | None = None) -> None:
    """Shows a value that `read` tells at every collection."""
    gauges(metric, lambda: [(read(), attributes or {})])


def gauges(metric: Gauge, read: Callable[[], Observations]) -> None:
    """Shows the values that `read` tells at every collection, each with its attributes."""
    metrics.get_meter("comptoir").create_observable_gauge(
        metric.name,
        callbacks=[_Reader(metric, read).observations],
        unit=metric.unit,
        description=metric.meaning,
    )


class _Reader:
    """Reads a gauge at every collection; one that cannot be read has no value then, and is told now and then.

    OpenTelemetry would write the whole failure, with its text, at each collection.
    """

    def __init__(self, metric: Gauge, read: Callable[[], Observations]) -> None:
        self._metric, self._read = metric, read
        self._told_seconds = -_TOLD_AGAIN_SECONDS

    def observations(self, _options: object) -> list[Observation]:
        """Returns every value; none where it cannot be read."""
        try:
            return [Observation(value, dict(attributes)) for value, attributes in self._read()]
        except Exception as error:  # noqa: BLE001 - a gauge of any part; the others are to be shown
            now_seconds = time.monotonic()
            if now_seconds - self._told_seconds >= _TOLD_AGAIN_SECONDS:
                self._told_seconds = now_seconds
                log_failure(_log, "gauge_unreadable", error, kind=self._metric.name)
            return []


def _observable_counter(metric: Counter, read: Callable[[object], list[Observation]]) -> None:
    metrics.get_meter("comptoir").create_observable_counter(
        metric.name, callbacks=[read], unit=metric.unit, description=metric.meaning
    )
