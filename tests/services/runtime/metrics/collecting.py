"""What instruments show, for tests that make them."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeAlias
from unittest.mock import patch

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import HistogramDataPoint, InMemoryMetricReader, NumberDataPoint

Series: TypeAlias = dict[tuple[str, frozenset[tuple[str, object]]], float]


class Collected:
    """The series of all instruments that were made while it was in use."""

    def __init__(self, reader: InMemoryMetricReader) -> None:
        self._reader = reader

    def series(self) -> Series:
        """Returns every value now, of a distribution how many it holds, by name and attributes."""
        data = self._reader.get_metrics_data()
        found: Series = {}
        for resource in data.resource_metrics if data is not None else ():
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    for point in metric.data.data_points:
                        key = metric.name, frozenset((point.attributes or {}).items())
                        if isinstance(point, HistogramDataPoint):
                            found[key] = point.count
                        else:
                            assert isinstance(point, NumberDataPoint)
                            found[key] = point.value
        return found

    def value(self, name: str, **attributes: object) -> float | None:
        """Returns one value; a dot in the name of an attribute is written as two underscores."""
        key = frozenset((key.replace("__", "."), value) for key, value in attributes.items())
        return self.series().get((name, key))


@contextmanager
def collected() -> Iterator[Collected]:
    """Has instruments that are made meanwhile collected."""
    reader = InMemoryMetricReader()
    provider = MeterProvider(metric_readers=[reader])
    with (
        patch("services.runtime.telemetry.metrics.get_meter", provider.get_meter),
        patch("services.runtime.telemetry._counters", {}),
    ):
        yield Collected(reader)
    provider.shutdown()
