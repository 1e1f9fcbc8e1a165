"""Whom each process reaches under the chart's policies is what docs/architecture.md says that it may."""

import itertools
import re
from collections.abc import Iterator
from typing import Final

import pytest

from tests.cluster.chart import PRODUCTION as PRODUCTION_VALUES
from tests.cluster.chart import (
    REPOSITORY,
    Document,
    Helm,
    container_of,
    labels_of,
    namespace_of,
    of_kind,
    workloads,
)
from tests.cluster.policies import Place, Policies

pytestmark = [pytest.mark.system, pytest.mark.cluster]

PROCESSES: Final = ("edge", "router", "generator", "emitter", "usage", "console")
# Words of the page, as places; what is none is in the pod itself.
WORDS: Final = {
    "edge": "edge",
    "router": "router",
    "generators": "generator",
    "emitter": "emitter",
    "usage": "usage",
    "its key file": "database",
    "its lease store": "lease store",
    "Kafka": "Kafka",
    "ClickHouse": "ClickHouse",
    "its engine": None,
    "its spool": None,
}
# By the blocks of examples/production.yaml.
STORES: Final = {
    "database": (Place(address="10.8.1.5"), 5432),
    "lease store": (Place(address="10.8.2.5"), 6379),
    "Kafka": (Place(address="10.8.3.5"), 9093),
    "ClickHouse": (Place(address="10.8.4.5"), 8443),
}
STRANGERS: Final = {
    "the Internet": Place(address="198.51.100.7"),
    "the cloud's metadata": Place(address="169.254.169.254"),
    "the API server": Place(address="10.0.0.1"),
    "another pod of the namespace": Place("comptoir", {"app": "another"}),
    "a pod that names itself an edge elsewhere": Place("other", {"app.kubernetes.io/component": "edge"}),
}
KEDA, OPERATOR = Place("keda", {"app": "keda-operator"}), Place(address="10.9.0.4")
PROXY = Place("oauth2-proxy", {"app.kubernetes.io/name": "oauth2-proxy"})
PROMETHEUS = Place("monitoring", {"app": "prometheus"})
DNS = Place("kube-system", {"k8s-app": "kube-dns"})


def table() -> dict[str, set[str]]:
    """The column "May reach" of the page's table of processes."""
    page = (REPOSITORY / "docs" / "architecture.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \|[^|]+\|[^|]+\| ([^|]+) \|$", page, re.MULTILINE)
    found = {name: {WORDS[word.strip()] for word in cell.split(",")} for name, cell in rows}
    assert tuple(found) == PROCESSES
    return {name: {place for place in places if place} for name, places in found.items()}


def pods(documents: list[Document]) -> dict[str, list[tuple[Place, tuple[int, ...]]]]:
    """Every pod by its process, with its ports; a generator of each pool."""
    found: dict[str, list[tuple[Place, tuple[int, ...]]]] = {}
    for workload in workloads(documents):
        labels = labels_of(workload)
        ports = tuple(port["containerPort"] for port in container_of(workload)["ports"])
        place = Place(namespace_of(workload), labels)
        found.setdefault(labels["app.kubernetes.io/component"], []).append((place, ports))
    return found


def policies(documents: list[Document]) -> Policies:
    return Policies(of_kind(documents, "NetworkPolicy"))


def reached(documents: list[Document], process: str) -> Iterator[set[str]]:
    """What each pod of a process reaches, at any port that anything has."""
    ways, all_pods = policies(documents), pods(documents)
    for source, _ in all_pods[process]:
        found = {
            name
            for name, places in all_pods.items()
            for place, ports in places
            if any(ways.may_reach(source, place, port) for port in ports)
        }
        found |= {name for name, (place, port) in STORES.items() if ways.may_reach(source, place, port)}
        yield found


@pytest.mark.parametrize("process", PROCESSES)
def test_each_process_reaches_what_the_page_says_and_nothing_else(
    production: list[Document], process: str
) -> None:
    for found in reached(production, process):
        # The two that call back: a replica's stream to its router, which the page has in its drawing too.
        assert found == table()[process]


@pytest.mark.parametrize("process", PROCESSES)
def test_nobody_gets_out_to_a_stranger_and_everybody_asks_for_names(
    production: list[Document], process: str
) -> None:
    ways = policies(production)
    for source, _ in pods(production)[process]:
        for stranger, port in itertools.product(STRANGERS.values(), (53, 80, 443, 8443, 6443)):
            assert not ways.may_reach(source, stranger, port)
        assert ways.may_reach(source, DNS, 53, "UDP")
        assert not ways.may_reach(source, DNS, 443)


def test_a_generator_sends_no_telemetry_unless_it_is_told_to(helm: Helm, production: list[Document]) -> None:
    collector = Place("monitoring", {"app": "collector"})
    generators = [place for place, _ in pods(production)["generator"]]
    assert not any(policies(production).may_reach(place, collector, 4317) for place in generators)
    assert policies(production).may_reach(pods(production)["edge"][0][0], collector, 4317)
    told = policies(helm.template(PRODUCTION_VALUES, "--set", "telemetry.fromGenerators=true"))
    assert all(told.may_reach(place, collector, 4317) for place in generators)


def test_nobody_gets_in_but_where_they_belong(production: list[Document]) -> None:
    ways = policies(production)
    belongs = {
        ("edge", 8443): set(STRANGERS)
        - {"another pod of the namespace", "a pod that names itself an edge elsewhere"},
        ("router", 8412): {"KEDA"},
        ("router", 8444): {"an operator"},
        ("console", 8414): {"the console's proxy"},
        **{(process, 9464): {"Prometheus"} for process in PROCESSES},
    }
    callers = {**STRANGERS, "KEDA": KEDA, "an operator": OPERATOR, "Prometheus": PROMETHEUS}
    callers["the console's proxy"] = PROXY
    # Whoever has an address outside is the edge's caller.
    belongs["edge", 8443] |= {"an operator"}
    for process, places in pods(production).items():
        for place, ports in places:
            for port in ports:
                found = {name for name, caller in callers.items() if ways.may_reach(caller, place, port)}
                assert found == belongs.get((process, port), set()), (process, port)


def test_a_tenants_own_pool_is_closed_to_the_pods_beside_it(production: list[Document]) -> None:
    ways = policies(production)
    (own,) = [place for place, _ in pods(production)["generator"] if place.namespace == "comptoir-acme"]
    assert own.labels["comptoir/tenant"] == "acme"
    (edge, _), (router, _) = pods(production)["edge"][0], pods(production)["router"][0]
    assert ways.may_reach(edge, own, 8402)
    assert ways.may_reach(own, router, 8411)
    neighbour = Place("comptoir-acme", {"app": "anything"})
    assert not ways.may_reach(neighbour, own, 8402)
    assert not ways.may_reach(own, neighbour, 80)
    other = next(place for place, _ in pods(production)["generator"] if place.namespace == "comptoir")
    assert not ways.may_reach(other, own, 8402)


def test_ports_of_the_router_are_for_those_that_each_is_for(production: list[Document]) -> None:
    ways, all_pods = policies(production), pods(production)
    router = all_pods["router"][0][0]
    opened = {
        process: {port for port in (8401, 8411, 8412, 8444) if ways.may_reach(places[0][0], router, port)}
        for process, places in all_pods.items()
    }
    nobody: dict[str, set[int]] = {name: set() for name in ("router", "emitter", "usage")}
    assert opened == {"edge": {8401}, "generator": {8411}, "console": {8401, 8444}, **nobody}
