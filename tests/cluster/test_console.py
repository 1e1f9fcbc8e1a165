"""The console of the chart: none unless asked for, nobody in but who signed on, and no right but to look."""

import json
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from tests.cluster.chart import (
    PRODUCTION,
    SMALL,
    Document,
    Helm,
    container_of,
    named,
    of_kind,
    pod_of,
    workloads,
)
from tests.cluster.test_settings import checked

pytestmark = [pytest.mark.system, pytest.mark.cluster]

ON: Final = (
    *("--set", "console.enabled=true", "--set-json", 'console.hosts=["c.example"]'),
    *("--set", "console.signOn.clientCaSecret=people"),
    *("--set-json", 'networkPolicies.consoleFrom=[{"ipBlock":{"cidr":"10.9.0.0/24"}}]'),
)


def settings(documents: list[Document], name: str = "console") -> Any:
    text = named(documents, "ConfigMap", f"comptoir-{name}")["data"]["comptoir.yaml"]
    return yaml.safe_load(text)[name]


def test_there_is_none_unless_it_is_asked_for_and_nothing_is_open_for_it(small: list[Document]) -> None:
    assert "console" not in json.dumps([it for it in small if it["kind"] != "ConfigMap"])
    assert "AdminService/ListTenants" not in settings(small, "router")["admin_listen"]["callers"]


def test_the_router_lets_it_look_and_do_nothing_else(production: list[Document]) -> None:
    own = "spiffe://comptoir.internal/region/eu-fr/process/console"
    callers = settings(production, "router")["admin_listen"]["callers"]
    assert {rpc for rpc, names in callers.items() if own in names} == {
        "AdminService/ListReplicas",
        "AdminService/ListTenants",
    }
    assert all("operator-*" in names for names in callers.values())
    certificate = named(production, "Certificate", "comptoir-console")["spec"]
    assert certificate["uris"] == [own]


def test_it_asks_every_process_and_knows_the_edge_by_the_name_that_clients_use(
    production: list[Document],
) -> None:
    told = settings(production)
    asked = {name: it["address"].rpartition(":")[2] for name, it in told["processes"].items()}
    assert asked == {
        **{f"router-{number}": "8401" for number in (1, 2, 3)},
        **{f"emitter-{number}": "8403" for number in (0, 1, 2)},
        **{f"usage-{number}": "8407" for number in (0, 1)},
    }
    assert told["edge"] == {
        "url": "https://comptoir-edge.comptoir.svc.cluster.local:443",
        "server_name": "fr.example.eu",
    }
    assert told["store"]["user"] == "comptoir_reader"
    assert told["proxy"] == {"addresses": ["10.244.0.0/16"], "header": "x-forwarded-user"}
    assert told["listen"]["tls"]["client_ca_file"] == "/etc/comptoir/clients/ca.crt"


def test_where_the_chart_signs_for_the_edge_its_authority_is_the_one(helm: Helm, tmp_path: Path) -> None:
    documents = helm.template(SMALL, *ON)
    host = "comptoir-edge.comptoir.svc.cluster.local"
    assert settings(documents)["edge"] == {
        "url": f"https://{host}:443",
        "ca_file": "/etc/comptoir/tls/ca.crt",
    }
    assert host in named(documents, "Certificate", "comptoir-edge-http")["spec"]["dnsNames"]
    own = named(documents, "Certificate", "comptoir-console-http")["spec"]
    assert "c.example" in own["dnsNames"]
    assert "uris" not in own
    assert checked(named(documents, "Deployment", "comptoir-console"), documents, tmp_path) == (
        0,
        "comptoir console: the settings are usable.\n",
    )


def test_an_edge_of_a_private_authority_is_known_by_its_secret(helm: Helm) -> None:
    documents = helm.template(PRODUCTION, "--set", "console.edgeCaSecret=edge-authority")
    assert settings(documents)["edge"]["ca_file"] == "/etc/comptoir/edge-ca/ca.crt"
    volumes = {it["name"]: it for it in pod_of(named(documents, "Deployment", "comptoir-console"))["volumes"]}
    assert volumes["edge-ca"]["secret"]["secretName"] == "edge-authority"


def test_without_a_port_of_metrics_its_probe_asks_over_http(helm: Helm) -> None:
    documents = helm.template(SMALL, *ON, "--set", "metrics.port=0")
    container = container_of(named(documents, "Deployment", "comptoir-console"))
    for name in ("startupProbe", "livenessProbe", "readinessProbe"):
        assert {"--http", "console"} <= set(container[name]["exec"]["command"])
    assert "--is-alive" not in container["readinessProbe"]["exec"]["command"]


def test_more_processes_than_it_may_be_told_are_not_told(helm: Helm, tmp_path: Path) -> None:
    many = ("--set", "usage.replicas=64", "--set", "emitter.replicas=64", "--set", "router.replicas=16")
    documents = helm.template(PRODUCTION, *many)
    assert len(settings(documents)["processes"]) == 16 + 21 + 21
    workload = named(documents, "Deployment", "comptoir-console")
    assert checked(workload, documents, tmp_path)[0] == 0


def test_all_of_it_is_one_pod_and_one_service(production: list[Document]) -> None:
    own = {it["kind"] for it in production if it["metadata"]["name"] == "comptoir-console"}
    assert own == {
        "Certificate",
        "ConfigMap",
        "Deployment",
        "NetworkPolicy",
        "PodMonitor",
        "Service",
        "ServiceAccount",
    }
    assert [
        it["spec"].get("replicas") for it in workloads(production) if "console" in it["metadata"]["name"]
    ] == [1]
    (service,) = [it for it in of_kind(production, "Service") if "console" in it["metadata"]["name"]]
    assert service["spec"]["type"] == "ClusterIP"
