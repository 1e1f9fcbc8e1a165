"""KEDA is told to ask every router, with a certificate, and the routers which models it asks about."""

import pytest
import yaml

from tests.cluster.chart import PRODUCTION, Document, Helm, named, of_kind

pytestmark = [pytest.mark.system, pytest.mark.cluster]


def router_settings(documents: list[Document]) -> Document:
    text = named(documents, "ConfigMap", "comptoir-router")["data"]["comptoir.yaml"]
    found: Document = yaml.safe_load(text)["router"]
    return found


def test_a_pool_is_scaled_between_none_and_its_most_by_what_each_router_says(
    production: list[Document],
) -> None:
    (scaled,) = of_kind(production, "ScaledObject")
    spec = scaled["spec"]
    assert (spec["minReplicaCount"], spec["maxReplicaCount"]) == (0, 8)
    assert spec["scaleTargetRef"] == {"kind": "StatefulSet", "name": "comptoir-pool-small"}
    host = "comptoir-router.comptoir.svc.cluster.local:8412"
    assert [it["metadata"] for it in spec["triggers"]] == [
        {"scalerAddress": f"comptoir-router-{number}.{host}", "model": "mistral-small", "enableTLS": "true"}
        for number in (1, 2, 3)
    ]
    assert router_settings(production)["scaling"] == [
        {
            "model": "mistral-small",
            "min_replicas": 0,
            "max_replicas": 8,
            "requests_per_replica": 32,
            "ttft_p95_seconds": 1.5,
        }
    ]
    assert router_settings(production)["scaler_listen"]["callers"] == {
        "ExternalScaler": ["spiffe://comptoir.internal/region/eu-fr/process/keda-operator"]
    }


def test_the_operator_shows_the_certificate_that_the_router_lets_in(production: list[Document]) -> None:
    (authentication,) = of_kind(production, "TriggerAuthentication")
    targets = {it["parameter"]: (it["name"], it["key"]) for it in authentication["spec"]["secretTargetRef"]}
    secret = named(production, "Certificate", "comptoir-keda-operator")["spec"]["secretName"]
    assert targets == {
        "caCert": (secret, "ca.crt"),
        "tlsClientCert": (secret, "tls.crt"),
        "tlsClientKey": (secret, "tls.key"),
    }
    assert named(production, "Certificate", "comptoir-keda-operator")["spec"]["dnsNames"] == ["keda-operator"]


def test_an_upgrade_takes_no_number_back_that_the_autoscaler_has_set(production: list[Document]) -> None:
    assert "replicas" not in named(production, "StatefulSet", "comptoir-pool-small")["spec"]
    assert named(production, "StatefulSet", "comptoir-pool-acme")["spec"]["replicas"] == 2


def test_numbers_of_replicas_are_those_of_their_pods(production: list[Document]) -> None:
    for name, first in (("pool-small", 1), ("pool-acme", 101), ("router", 1), ("emitter", 0)):
        assert named(production, "StatefulSet", f"comptoir-{name}")["spec"]["ordinals"] == {"start": first}


def test_nothing_of_keda_is_asked_for_where_nothing_is_scaled(helm: Helm) -> None:
    documents = helm.template(PRODUCTION, "--set", "pools.small.autoscaling.enabled=false")
    assert not of_kind(documents, "ScaledObject", "TriggerAuthentication")
    assert "scaler_listen" not in router_settings(documents)
