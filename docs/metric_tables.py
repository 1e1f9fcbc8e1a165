"""The tables of metrics, from the registry that every instrument is made of."""

from collections.abc import Iterator, Mapping
from typing import Final

from services.runtime.metrics.metric import Attribute, Metric
from services.runtime.metrics.registry import edge, emitter, generator, router, shared, usage
from services.runtime.span_attributes import ATTRIBUTES

_SECTIONS: Final[Mapping[str, tuple[Metric, ...]]] = {
    "Of every process": shared.METRICS,
    "Edge": edge.METRICS,
    "Router": router.METRICS,
    "Generator": generator.METRICS,
    "Emitter": emitter.METRICS,
    "Usage pipeline": usage.METRICS,
}


def overview() -> Iterator[str]:
    """Yields a table of metrics per process, and one of their attributes."""
    for title, metrics in _SECTIONS.items():
        yield from ("", f"## {title}", "")
        yield "| OpenTelemetry | Prometheus | Kind | Unit | Attributes | Processes | Meaning |"
        yield "|---|---|---|---|---|---|---|"
        yield from (_row(metric) for metric in metrics)
    yield from ("", "## Attributes", "")
    yield "| Attribute | Label | Of | Values | At most, per process |"
    yield "|---|---|---|---|---|"
    yield from _attributes()
    yield ""


def spans() -> Iterator[str]:
    """Yields the table of what spans may say."""
    yield from ("", "| Attribute | Meaning | Values |", "|---|---|---|")
    for attribute in ATTRIBUTES.values():
        values = ", ".join(f"`{word}`" for word in attribute.words)
        kind = "a name" if attribute.is_model else "a number"
        yield f"| `{attribute.name}` | {attribute.meaning} | {values or kind} |"
    yield ""


def _row(metric: Metric) -> str:
    attributes = ", ".join(f"`{attribute.name}`" for attribute in metric.attributes)
    meaning = f"{metric.meaning} Only {metric.condition}." if metric.condition else metric.meaning
    cells = (
        f"`{metric.name}`",
        f"`{metric.prometheus_name}`",
        metric.kind,
        f"`{metric.unit}`",
        attributes,
        ", ".join(metric.processes),
        meaning,
    )
    return f"| {' | '.join(cells)} |"


def _attributes() -> Iterator[str]:
    owners: dict[Attribute, list[str]] = {}
    for metrics in _SECTIONS.values():
        for metric in metrics:
            for attribute in metric.attributes:
                owners.setdefault(attribute, []).append(metric.name)
    for attribute, names in sorted(owners.items(), key=lambda one: one[0].name):
        values = ", ".join(f"`{value}`" for value in attribute.values) or attribute.source
        of = ", ".join(f"`{name}`" for name in names)
        yield f"| `{attribute.name}` | `{attribute.label}` | {of} | {values} | {attribute.bound} |"
