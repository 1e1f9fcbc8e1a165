"""All metrics, by name and by process."""

from collections.abc import Mapping
from typing import Final

from services.runtime.metrics.metric import Metric, unique
from services.runtime.metrics.registry import edge, emitter, generator, router, shared, usage

METRICS: Final[Mapping[str, Metric]] = unique(
    (
        *shared.METRICS,
        *edge.METRICS,
        *router.METRICS,
        *generator.METRICS,
        *emitter.METRICS,
        *usage.METRICS,
    )
)


def of_process(section: str) -> Mapping[str, Metric]:
    """Returns those that a process shows, by name; its name is that of its section in the settings."""
    return {name: metric for name, metric in METRICS.items() if section in metric.processes}
