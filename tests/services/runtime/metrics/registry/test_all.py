"""The registry: one style, no word twice, everything bounded, and the values of the code's own enums."""

import ast
import re
from pathlib import Path
from typing import get_args

from pipelines.usage.domain.errors import Fault
from services.edge.domain.hedging import HedgeOutcome
from services.generator.domain.terminal_event import Outcome
from services.router.domain import lease
from services.router.domain.placement.replica import State
from services.runtime.metrics.metric import Attribute, Histogram
from services.runtime.metrics.registry import edge, emitter, generator, router, shared, usage
from services.runtime.metrics.registry.all import METRICS, of_process

_ROOT = Path(__file__).resolve().parents[5]
_MODULES = (edge, emitter, generator, router, shared, usage)


def test_names_are_dotted_lower_case() -> None:
    ours = r"comptoir(\.[a-z][a-z_]*){2}"
    conventional = r"(gen_ai\.(server|client)|http\.server)(\.[a-z][a-z_]*){1,2}"
    assert all(re.fullmatch(f"{ours}|{conventional}", name) for name in METRICS)


def test_every_metric_says_what_it_means_and_who_shows_it() -> None:
    for metric in METRICS.values():
        assert re.fullmatch(r"[A-Z1].*\.", metric.meaning), metric.name
        assert metric.processes, metric.name
        assert set(metric.processes) <= set(shared.EVERY), metric.name


def test_no_unit_is_one_of_which_exporters_make_different_names() -> None:
    # Of "1" the collector makes `_ratio`, and Python's exporter nothing.
    assert all(re.fullmatch(r"s|By|\{[a-z]+\}", metric.unit) for metric in METRICS.values())


def test_every_attribute_is_bounded() -> None:
    for metric in METRICS.values():
        for attribute in metric.attributes:
            assert 0 < attribute.bound <= 4096, (metric.name, attribute.name)
            assert attribute.values or attribute.source, (metric.name, attribute.name)


def test_every_histogram_has_bounds_that_grow() -> None:
    for metric in METRICS.values():
        if isinstance(metric, Histogram):
            assert metric.bounds == tuple(sorted(set(metric.bounds))), metric.name
            assert metric.bounds, metric.name


def test_two_metrics_never_have_one_name_in_prometheus() -> None:
    names = [metric.prometheus_name for metric in METRICS.values()]
    assert len(set(names)) == len(names)


def test_every_process_has_metrics() -> None:
    serving = [section for section in shared.EVERY if section != "console"]
    assert all(len(of_process(section)) > len(shared.METRICS) / 2 for section in serving)
    # It takes no calls of processes: what it has is that it lives.
    assert "comptoir.process.ready" in of_process("console")
    assert not of_process("local_kafka")


def _values(metric: str, name: str) -> set[str]:
    attributes: dict[str, Attribute] = {each.name: each for each in METRICS[metric].attributes}
    return set(attributes[name].values)


def test_values_are_those_of_the_enums_that_are_recorded() -> None:
    outcomes = {outcome.name.lower() for outcome in Outcome}
    assert _values("comptoir.generator.requests", "outcome") == outcomes
    assert _values("comptoir.edge.first_token_hedges", "outcome") == {each.value for each in HedgeOutcome}
    assert _values("comptoir.router.replicas", "state") == {state.name.lower() for state in State}
    dead = {fault.name.lower() for fault in Fault if fault.is_corrupt}
    assert _values("comptoir.usage.dead_letters", "reason") == dead
    transitions = {each.value for one in get_args(lease.Transition) for each in one}
    assert _values("comptoir.router.leases", "transition") == transitions


def _named_in_code() -> set[tuple[str, str]]:
    """Returns which constants of which module of the registry the code takes."""
    found = set()
    for folder in ("services", "pipelines"):
        for path in (_ROOT / folder).rglob("*.py"):
            if "registry" not in path.parts:
                found |= set(_named_in(ast.parse(path.read_text(encoding="utf-8"))))
    return found


def _named_in(tree: ast.Module) -> list[tuple[str, str]]:
    package = "services.runtime.metrics.registry"
    modules = {
        alias.asname or alias.name: alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == package
        for alias in node.names
    }
    return [
        (modules[node.value.id], node.attr)
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in modules
    ]


def test_whatever_is_declared_is_measured_somewhere() -> None:
    used = _named_in_code()
    for module in _MODULES:
        short = module.__name__.rpartition(".")[2]
        for name, value in vars(module).items():
            if getattr(value, "name", "") in METRICS:
                assert (short, name) in used, f"{value.name} is declared and nothing measures it"
