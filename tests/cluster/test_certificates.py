"""Certificates bear the names that the other side asks for, and each that a pod mounts is made."""

from typing import Any

import pytest
import yaml

from services.kernel.process_names import ProcessName, RegionName
from tests.cluster.chart import (
    PRODUCTION,
    SMALL,
    Document,
    Helm,
    named,
    namespace_of,
    of_kind,
    pod_of,
    workloads,
)

FRANCE = RegionName("comptoir.internal", "eu-fr")

pytestmark = [pytest.mark.system, pytest.mark.cluster]


def names_of(documents: list[Document], name: str) -> set[str]:
    return set(named(documents, "Certificate", name)["spec"]["dnsNames"])


def test_every_certificate_that_a_pod_mounts_is_asked_for_in_its_namespace(example: list[Document]) -> None:
    made = {(namespace_of(it), it["spec"]["secretName"]) for it in of_kind(example, "Certificate")}
    for workload in workloads(example):
        for volume in pod_of(workload)["volumes"]:
            if volume["name"] == "tls":
                assert (namespace_of(workload), volume["secret"]["secretName"]) in made


def test_the_edge_shows_clients_a_secret_of_theirs_or_one_of_the_issuer(
    small: list[Document], production: list[Document]
) -> None:
    def shown(documents: list[Document]) -> str:
        volumes = pod_of(named(documents, "Deployment", "comptoir-edge"))["volumes"]
        return str(next(it["secret"]["secretName"] for it in volumes if it["name"] == "http-tls"))

    assert shown(production) == "fr-example-eu"
    assert shown(small) == named(small, "Certificate", "comptoir-edge-http")["spec"]["secretName"]
    assert "llm.example.eu" in names_of(small, "comptoir-edge-http")


def test_a_replica_may_register_with_each_number_of_its_pool_and_no_other(production: list[Document]) -> None:
    numbers = {it for it in names_of(production, "comptoir-pool-acme") if it.startswith("generator-")}
    assert numbers == {f"generator-{number}" for number in range(101, 105)}
    assert "*.comptoir-pool-acme.comptoir-acme.svc.cluster.local" in names_of(
        production, "comptoir-pool-acme"
    )
    small = {it for it in names_of(production, "comptoir-pool-small") if it.startswith("generator-")}
    assert small == {f"generator-{number}" for number in range(1, 9)}


def test_every_address_that_is_called_is_in_the_certificate_there(production: list[Document]) -> None:
    known = {process: names_of(production, f"comptoir-{process}") for process in ("router", "emitter")}
    for document in of_kind(production, "ConfigMap"):
        (section,) = [
            value
            for key, value in yaml.safe_load(document["data"]["comptoir.yaml"]).items()
            if key in {"edge", "router", "generator"} and isinstance(value, dict)
        ] or [{}]
        targets = [section.get("router", {}), section.get("emitter", {}), *section.get("further_routers", ())]
        for address in (it["address"] for it in targets if it):
            host = address.rpartition(":")[0]
            process = "emitter" if "emitter" in host else "router"
            _, _, parent = host.partition(".")
            for name, wildcard in ((host, f"*.{parent}"), (FRANCE.host(host), f"*.{FRANCE.host(parent)}")):
                assert name in known[process] or wildcard in known[process]


def test_every_certificate_of_a_process_names_its_region_and_what_it_is(example: list[Document]) -> None:
    for certificate in of_kind(example, "Certificate"):
        spec = certificate["spec"]
        if certificate["metadata"]["name"] == "comptoir-edge-http":
            assert "uris" not in spec
            continue
        (uri,) = spec["uris"]
        assert ProcessName.parse(uri) == ProcessName(FRANCE, spec["commonName"])


def test_processes_call_and_hear_their_own_region_alone(helm: Helm, production: list[Document]) -> None:
    changed = "region=us-east,certificates.trustDomain=llm.example.eu"
    catalog = "catalog.regions[0].number=1,catalog.regions[0].name=us-east,catalog.regions[0].country=US"
    elsewhere = ("--set", changed, "--set", catalog)
    for documents, region in (
        (production, FRANCE),
        (helm.template(SMALL, *elsewhere), RegionName("llm.example.eu", "us-east")),
    ):
        for document in of_kind(documents, "ConfigMap"):
            ends = [it for it in _ends(yaml.safe_load(document["data"]["comptoir.yaml"])) if _is_peers(it)]
            assert ends
            assert all(end["peer_region"] == str(region) for end in ends)
            for end in ends:
                for allowed in (it for list_ in end.get("callers", {}).values() for it in list_):
                    assert not allowed.startswith("spiffe:") or allowed.startswith(f"{region}/process/")


def _ends(settings: Any) -> list[Document]:
    """Every address with TLS files in a settings file, whoever is at its other end."""
    if isinstance(settings, list):
        return [end for each in settings for end in _ends(each)]
    if not isinstance(settings, dict):
        return []
    own = [settings] if {"address", "tls"} <= set(settings) else []
    return own + [end for key, each in settings.items() if key != "lease_store" for end in _ends(each)]


def _is_peers(end: Document) -> bool:
    # Operators may be of no region.
    return "AdminService" not in end.get("callers", {})


def test_keys_are_made_anew_and_prove_who_calls_and_who_answers(production: list[Document]) -> None:
    for certificate in of_kind(production, "Certificate"):
        spec = certificate["spec"]
        assert spec["privateKey"]["rotationPolicy"] == "Always"
        assert spec["issuerRef"]["name"] == "comptoir"
        assert spec["commonName"] in spec["dnsNames"]
    usages = {it["metadata"]["name"]: set(it["spec"]["usages"]) for it in of_kind(production, "Certificate")}
    assert usages["comptoir-router"] == {"digital signature", "server auth", "client auth"}
    assert usages["comptoir-operator-ada"] == {"digital signature", "client auth"}


def test_given_secrets_are_taken_in_place_of_an_issuer(helm: Helm) -> None:
    given = ("--set", "certificates.from=secrets", "--set", "edge.tlsSecret=llm-example-eu")
    documents = helm.template(SMALL, *given)
    assert not of_kind(documents, "Certificate")
    assert len(workloads(documents)) == len(workloads(helm.template(SMALL)))


def test_prometheus_shows_a_certificate_and_knows_each_process_by_its_name(
    production: list[Document],
) -> None:
    assert "prometheus" in names_of(production, "comptoir-prometheus")
    for monitor in of_kind(production, "PodMonitor"):
        (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
        process = monitor["metadata"]["labels"]["app.kubernetes.io/component"]
        assert endpoint["tlsConfig"]["serverName"] == process
        # What rules and dashboards tell series apart by.
        assert endpoint["relabelings"] == [
            {"targetLabel": "job", "replacement": f"comptoir-{process}"},
            {"sourceLabels": ["__meta_kubernetes_pod_label_comptoir_region"], "targetLabel": "region"},
        ]
        certificate = "pool-small" if process == "generator" else process
        assert process in names_of(production, f"comptoir-{certificate}")
        assert set(monitor["spec"]["namespaceSelector"]["matchNames"]) == {"comptoir", "comptoir-acme"}


def test_no_pod_monitor_is_made_without_a_port_for_it(helm: Helm) -> None:
    documents = helm.template(PRODUCTION, "--set", "metrics.port=0")
    assert not of_kind(documents, "PodMonitor")
    assert all("metrics_listen" not in it["data"]["comptoir.yaml"] for it in of_kind(documents, "ConfigMap"))
