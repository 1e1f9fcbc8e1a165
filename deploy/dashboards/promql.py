"""Queries on the registry's metrics, within the regions and models that a dashboard's reader has chosen."""

from typing import Final

from services.runtime.metrics.metric import Counter, Gauge, Histogram, Metric

# What every target gets from the scrape configuration (deploy/alerts/prometheus.yaml).
TARGET_LABELS: Final = ("region", "job", "instance")
_MODEL: Final = "gen_ai_request_model"


def labels_of(metric: Metric) -> frozenset[str]:
    """Returns the labels by which the metric's series are told apart, those of its target included."""
    return frozenset(attribute.label for attribute in metric.attributes) | set(TARGET_LABELS)


def rate(metric: Counter | Histogram, *by: str, where: str = "") -> str:
    """Returns how much is counted per second; of a histogram, how many observations."""
    suffix = "_count" if isinstance(metric, Histogram) else ""
    return f"sum{_by(metric, by)} (rate({_selected(metric, suffix, where)}[$__rate_interval]))"


def quantile(share: float, metric: Histogram, *by: str) -> str:
    """Returns the value below which that share of the observations is."""
    counted = f"rate({_selected(metric, '_bucket')}[$__rate_interval])"
    return f"histogram_quantile({share}, sum{_by(metric, by, 'le')} ({counted}))"


def total(metric: Gauge, *by: str, where: str = "") -> str:
    """Returns the sum over what is not told apart; `where` is one more condition on a label."""
    return f"sum{_by(metric, by)} ({_selected(metric, where=where)})"


def largest(metric: Gauge, *by: str) -> str:
    """Returns the greatest value of what is not told apart."""
    return f"max{_by(metric, by)} ({_selected(metric)})"


def smallest(metric: Gauge, *by: str) -> str:
    """Returns the least value of what is not told apart."""
    return f"min{_by(metric, by)} ({_selected(metric)})"


def recorded(name: str, *, has_model: bool = False) -> str:
    """Returns a series of deploy/alerts/recording.yaml or targets.yaml, as it is."""
    return f"{name}{{{', '.join(_chosen(has_model=has_model))}}}"


def _by(metric: Metric, labels: tuple[str, ...], *further: str) -> str:
    unknown = sorted(set(labels) - labels_of(metric))
    if unknown:
        raise ValueError(f"{metric.name} has no label {unknown[0]}")
    return f" by ({', '.join((*labels, *further))})"


def _selected(metric: Metric, suffix: str = "", where: str = "") -> str:
    matchers = _chosen(has_model=_MODEL in labels_of(metric))
    if where:
        label = where.split("=", maxsplit=1)[0].rstrip("!")
        if label not in labels_of(metric):
            raise ValueError(f"{metric.name} has no label {label}")
        matchers.append(where)
    return f"{metric.prometheus_name}{suffix}{{{', '.join(matchers)}}}"


def _chosen(*, has_model: bool) -> list[str]:
    return ['region=~"$region"', *([f'{_MODEL}=~"$model"'] if has_model else [])]
