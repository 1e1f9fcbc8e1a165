"""What a query of Prometheus asks for: the series' names, and every label that it speaks of."""

import functools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import promql_parser
import yaml

from services.runtime.metrics.metric import Histogram
from services.runtime.metrics.registry.all import METRICS

REPOSITORY: Final = Path(__file__).resolve().parents[2]
ALERTS: Final = REPOSITORY / "deploy" / "alerts"
RULE_FILES: Final = ("targets.yaml", "recording.yaml", "alerts.yaml")
TARGET_LABELS: Final = frozenset({"region", "job", "instance"})


@functools.cache
def rules(file: str) -> list[dict[str, Any]]:
    """The rules of a file, in their order."""
    document = yaml.safe_load((ALERTS / file).read_text())
    return [rule for group in document["groups"] for rule in group["rules"]]


@functools.cache
def known_series() -> dict[str, frozenset[str]]:
    """The labels of every series that there is: of the registry, of Prometheus itself, and those recorded."""
    found = {"up": TARGET_LABELS}
    for metric in METRICS.values():
        labels = frozenset(attribute.label for attribute in metric.attributes) | TARGET_LABELS
        if isinstance(metric, Histogram):
            name = metric.prometheus_name
            found |= {f"{name}_bucket": labels | {"le"}, f"{name}_sum": labels, f"{name}_count": labels}
        else:
            found[metric.prometheus_name] = labels
    levels = {
        "region": {"region"},
        "region_model": {"region", "gen_ai_request_model"},
        "instance": TARGET_LABELS,
    }
    recorded = [rule["record"] for file in RULE_FILES for rule in rules(file) if "record" in rule]
    return found | {name: frozenset(levels[name.split(":")[0]]) for name in recorded}


def faults(query: str, known: Mapping[str, frozenset[str]]) -> list[str]:
    """What the query asks for and nobody has: a series, or a label that none of its series has."""
    nodes = list(_nodes(promql_parser.parse(query)))
    selectors = [node for node in nodes if isinstance(node, promql_parser.VectorSelector)]
    found = [f"no series {each.name}" for each in selectors if each.name not in known]
    found += [
        f"{each.name} has no label {matcher.name}"
        for each in selectors
        for matcher in each.matchers.matchers
        if matcher.name not in known.get(each.name or "", frozenset())
    ]
    for node in nodes:
        labels = _grouping(node)
        inside = [each for each in _nodes(node) if isinstance(each, promql_parser.VectorSelector)]
        found += [
            f"{each.name} has no label {label}"
            for each in inside
            for label in labels
            if label not in known.get(each.name or "", frozenset())
        ]
    return found


def _grouping(node: Any) -> list[str]:
    if isinstance(node, promql_parser.AggregateExpr) and node.modifier is not None:
        return list(node.modifier.labels)
    if isinstance(node, promql_parser.BinaryExpr) and node.modifier is not None:
        matching = node.modifier.matching
        return [] if matching is None else list(matching.labels)
    return []


def _nodes(node: Any) -> Iterator[Any]:
    """The node and all below it."""
    if isinstance(node, promql_parser.MatrixSelector):
        node = node.vector_selector
    yield node
    for name in ("expr", "lhs", "rhs"):
        child = getattr(node, name, None)
        if isinstance(child, promql_parser.Expr):
            yield from _nodes(child)
    for child in getattr(node, "args", None) or ():
        yield from _nodes(child)
