"""Who shares a network with whom is what docs/architecture.md says, and who watches joins no two of them."""

import itertools
import re
from typing import Final

import pytest

from tests.compose.project import PROFILES, REPOSITORY, Service, load, networks_of

pytestmark = [pytest.mark.system, pytest.mark.timeout(900)]

PROCESSES: Final = ("edge", "router", "generator", "emitter", "usage", "console")
# Words of that page, as services; what is none is in the container itself.
PLACES: Final = {
    "router": "router",
    "edge": "edge",
    "usage": "usage",
    "generators": "generator",
    "emitter": "emitter",
    "its key file": "postgres",
    "its lease store": "valkey",
    "its engine": None,
    "its spool": None,
    "Kafka": "kafka",
    "ClickHouse": "clickhouse",
}
WATCH: Final = {"prometheus", "otel-collector"}


@pytest.fixture(scope="module")
def every() -> dict[str, Service]:
    found: dict[str, Service] = load(*PROFILES)["services"]
    return found


def table() -> dict[str, set[str]]:
    """The column "May reach" of the page's table, for the processes that are services here."""
    page = (REPOSITORY / "docs" / "architecture.md").read_text()
    rows = dict(re.findall(r"^\| `(\w+)` \|[^|]+\|[^|]+\| ([^|]+) \|$", page, re.MULTILINE))
    found = {name: {PLACES[word.strip()] for word in rows[name].split(",")} for name in PROCESSES}
    return {name: {place for place in places if place} for name, places in found.items()}


def kind(name: str) -> str:
    """router-1 and router-2 are routers; generator-cuda is a generator."""
    first = name.partition("-")[0]
    return first if first in PROCESSES else name


def met(every: dict[str, Service], process: str) -> set[str]:
    """Everybody on a network of a process, but its like."""
    mine = {network for name, it in every.items() if kind(name) == process for network in networks_of(it)}
    return {kind(name) for name, it in every.items() if mine & set(networks_of(it))} - {process}


def test_each_process_meets_those_that_it_may_reach_those_that_reach_it_and_who_watches(
    every: dict[str, Service],
) -> None:
    reaches = table()
    for process in PROCESSES:
        back = {name for name, places in reaches.items() if process in places}
        further = met(every, process) - reaches[process] - back - WATCH
        # One network for edge, routers, generator and emitter; who calls whom there, certificates say.
        allowed: set[str] = {
            "edge": set(),
            "router": {"cli"},
            "generator": set(),
            "emitter": {"usage", "kafka-topics"},
            "usage": {"emitter", "kafka-topics", "grafana"},
            # Those who ask the router's admin service and the store beside it.
            "console": {"cli", "grafana"},
        }[process]
        assert further == allowed, process
        assert reaches[process] <= met(every, process), process


def test_a_generator_meets_its_callers_routers_and_emitter_and_sends_no_telemetry(
    every: dict[str, Service],
) -> None:
    assert met(every, "generator") == {"edge", "router", "emitter", "prometheus"}
    assert every["generator"]["environment"]["COMPTOIR_TELEMETRY__OTLP_ENDPOINT"] == '""'


def test_no_process_has_a_way_out(every: dict[str, Service]) -> None:
    networks = load(*PROFILES)["networks"]
    outward = {name for name, it in networks.items() if not (it or {}).get("internal")}
    assert outward == {"ingress", "screen", "screen-console", "outside"}
    on = {network: {name for name, it in every.items() if network in networks_of(it)} for network in outward}
    assert on == {
        "ingress": {"edge"},
        "screen": {"grafana"},
        "screen-console": {"console"},
        "outside": {"alertmanager"},
    }
    for name in ("ingress", "screen", "screen-console"):
        options = networks[name]["driver_opts"]
        assert options == {"com.docker.network.bridge.enable_ip_masquerade": "false"}


def test_those_who_watch_share_one_network_with_each_process(every: dict[str, Service]) -> None:
    watched = [name for name in load(*PROFILES)["networks"] if name.startswith("watch-")]
    for one, other in itertools.combinations(watched, 2):
        both = {
            kind(name) for name, it in every.items() if one in networks_of(it) and other in networks_of(it)
        }
        assert both <= WATCH, (one, other)
