"""OpenTelemetry's instruments as Prometheus sees them, some under a second name that dashboards know."""

from collections.abc import Iterator

from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.sdk.metrics.export import MetricReader
from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.metrics_core import Metric
from prometheus_client.samples import Sample

from services.runtime.metrics.aliases import Aliases


def shown_reader(aliases: Aliases) -> tuple[MetricReader, CollectorRegistry]:
    """Returns a reader for the meter provider, and the registry that shows what it reads."""
    inner = CollectorRegistry()
    reader = PrometheusMetricReader(scope_info_enabled=False, registry=inner)
    shown = CollectorRegistry()
    shown.register(_Aliased(inner, aliases))
    for collector in (ProcessCollector, PlatformCollector, GCCollector):
        collector(registry=shown)
    return reader, shown


class _Aliased:
    """Every family of another registry, and once more under its alias."""

    def __init__(self, inner: CollectorRegistry, aliases: Aliases) -> None:
        self._inner = inner
        self._aliases = aliases

    def describe(self) -> list[Metric]:
        """Returns nothing: a registry that asks would otherwise collect before there is a provider."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Yields the families as they are now."""
        for family in self._inner.collect():
            yield family
            alias = self._aliases.names.get(family.name)
            if alias is not None:
                yield self._renamed(family, alias)

    def _renamed(self, family: Metric, name: str) -> Metric:
        copy = Metric(name, family.documentation, family.type)
        for sample in family.samples:
            labels = {self._aliases.labels.get(label, label): value for label, value in sample.labels.items()}
            copy.samples.append(Sample(name + sample.name.removeprefix(family.name), labels, *sample[2:]))
        return copy
