"""What a metric is: its name, unit and meaning, and which attributes tell its series apart."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import ClassVar, Final

# As Prometheus and OpenTelemetry's collector write them; what stands in braces is a word for readers.
_UNITS: Final[Mapping[str, str]] = {"s": "seconds", "By": "bytes"}
_MOST_SERIES: Final = 5_000
_NO_NAME: Final = re.compile(r"[^a-zA-Z0-9]+")


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute: the values that it can have, or in words where these come from, and how many at most.

    No value is ever a word of a caller.
    """

    name: str
    values: tuple[str, ...] = ()
    source: str = ""
    most: int = 0

    @property
    def bound(self) -> int:
        """How many values it can have in one process."""
        return self.most or len(self.values)

    @property
    def label(self) -> str:
        """Its name in Prometheus."""
        return _NO_NAME.sub("_", self.name)

    def admits(self, value: object) -> bool:
        """Returns whether it can have that value, as far as its values are known here."""
        return not self.values or str(value) in self.values


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric. Its name is OpenTelemetry's; `processes` are the sections of the settings that show it.

    `condition` says, in words, without what it is not there.
    """

    kind: ClassVar[str]
    suffix: ClassVar[str] = ""

    name: str
    unit: str
    meaning: str
    attributes: tuple[Attribute, ...] = ()
    processes: tuple[str, ...] = ()
    condition: str = ""

    @property
    def prometheus_name(self) -> str:
        """The name under which Prometheus has it; a histogram's series add `_bucket`, `_sum` and `_count`."""
        words = (_NO_NAME.sub("_", self.name), _UNITS.get(self.unit, ""), self.suffix)
        return "_".join(word for word in words if word)

    @property
    def most_series(self) -> int:
        """How many series one process can have at most."""
        product = 1
        for attribute in self.attributes:
            product *= attribute.bound
        return product

    @property
    def series_limit(self) -> int:
        """How many series a process shows; what comes afterwards is one series, `otel.metric.overflow`."""
        return min(self.most_series, _MOST_SERIES) + 1


@dataclass(frozen=True, slots=True)
class Counter(Metric):
    """A sum that only grows."""

    kind: ClassVar[str] = "counter"
    suffix: ClassVar[str] = "total"


@dataclass(frozen=True, slots=True)
class Gauge(Metric):
    """A value that is read when it is asked for."""

    kind: ClassVar[str] = "gauge"


@dataclass(frozen=True, slots=True)
class Histogram(Metric):
    """A distribution; `bounds` are the upper ones of its buckets."""

    kind: ClassVar[str] = "histogram"

    bounds: tuple[float, ...] = ()


def unique(metrics: Iterable[Metric]) -> Mapping[str, Metric]:
    """Returns them by name; ValueError where two have one."""
    found: dict[str, Metric] = {}
    for metric in metrics:
        if metric.name in found:
            raise ValueError(f"{metric.name} is declared twice")
        found[metric.name] = metric
    return found
