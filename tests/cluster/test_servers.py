"""Pools whose replicas compute in an OpenAI-compatible server: in their pod, or elsewhere in the cluster."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from tests.cluster.chart import (
    SERVERS,
    SMALL,
    Document,
    Helm,
    container_of,
    labels_of,
    named,
    namespace_of,
    of_kind,
    pod_of,
)
from tests.cluster.policies import Place, Policies
from tests.cluster.test_refusals import refusal
from tests.cluster.test_settings import checked

pytestmark = [pytest.mark.system, pytest.mark.cluster]

LLAMA: Final = Place("engines", {"app": "llama"})
NAMESPACE: Final = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "engines"}}}
PODS: Final = {"podSelector": {"matchLabels": {"app": "llama"}}}
# What Kubernetes takes for all pods of all namespaces.
EVERYBODY: Final = {"namespaceSelector": {"matchLabels": {}}, "podSelector": {"matchExpressions": []}}
CLOSED: Final = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}


@pytest.fixture(scope="module")
def documents(helm: Helm) -> list[Document]:
    return helm.template(SMALL, "--values", str(SERVERS))


def pool(documents: list[Document], name: str) -> Document:
    return named(documents, "StatefulSet", f"comptoir-pool-{name}")


def server_of(workload: Document) -> Document:
    (container,) = pod_of(workload)["initContainers"]
    return dict(container)


def told(documents: list[Document], name: str) -> Any:
    text = named(documents, "ConfigMap", f"comptoir-pool-{name}")["data"]["comptoir.yaml"]
    return yaml.safe_load(text)["generator"]


@pytest.mark.parametrize("name", ["beside", "elsewhere"])
def test_the_replica_is_of_the_small_image_and_takes_its_settings(
    documents: list[Document], tmp_path: Path, name: str
) -> None:
    workload = pool(documents, name)
    container = container_of(workload)
    assert "/comptoir-generator-openai-server:" in container["image"]
    assert container["resources"]["limits"] == {"memory": "2Gi"}
    settings = told(documents, name)
    assert (settings["engine"], settings["model_path"]) == ("openai_server", "/models/tiny-eu")
    assert "vllm" not in settings
    assert checked(workload, documents, tmp_path) == (0, "comptoir generator: the settings are usable.\n")


def test_a_server_in_the_pod_starts_before_the_replica_ends_after_it_and_is_asked_on_loopback(
    documents: list[Document],
) -> None:
    server = server_of(pool(documents, "beside"))
    # Kubernetes ends those last, so that answers end while they drain.
    assert server["restartPolicy"] == "Always"
    assert "ports" not in server
    own = told(documents, "beside")["openai_server"]
    assert own == {
        "kind": "vllm",
        "url": "http://127.0.0.1:8000",
        "start_seconds": 1800,
        "has_llguidance": True,
        "is_priority_scheduled": True,
    }


def test_a_server_that_loads_as_long_as_a_start_may_take_is_not_killed_meanwhile(
    documents: list[Document], helm: Helm
) -> None:
    assert server_of(pool(documents, "beside"))["livenessProbe"]["initialDelaySeconds"] == 1800
    own = ("--set", "pools.beside.server.livenessProbe.initialDelaySeconds=60")
    changed = helm.template(SMALL, "--values", str(SERVERS), *own)
    assert server_of(pool(changed, "beside"))["livenessProbe"]["initialDelaySeconds"] == 60


def test_a_server_in_the_pod_is_closed_as_the_replica_is_and_has_the_gpu_and_the_model(
    documents: list[Document],
) -> None:
    workload = pool(documents, "beside")
    server = server_of(workload)
    assert server["securityContext"] == CLOSED
    assert server["resources"]["limits"]["nvidia.com/gpu"] == "1"
    assert {it["name"]: it["mountPath"] for it in server["volumeMounts"]} == {
        "server-scratch": "/tmp",  # noqa: S108 - in a container
        "shared-memory": "/dev/shm",  # noqa: S108 - in a container
        "model": "/models",
    }
    volumes = {it["name"]: it for it in pod_of(workload)["volumes"]}
    assert all(it["name"] in volumes for it in server["volumeMounts"])
    assert "sizeLimit" in volumes["server-scratch"]["emptyDir"]
    assert {"name": "VLLM_NO_USAGE_STATS", "value": "1"} in server["env"]


def test_a_server_elsewhere_is_each_replicas_own_and_takes_no_gpu_of_its_pod(
    documents: list[Document],
) -> None:
    workload = pool(documents, "elsewhere")
    container, pod = container_of(workload), pod_of(workload)
    assert "initContainers" not in pod
    assert "nvidia.com/gpu" not in container["resources"]["limits"]
    names = [it["name"] for it in container["env"]]
    variable = "COMPTOIR_GENERATOR__OPENAI_SERVER__URL"
    # The kubelet puts in what stands before.
    assert names.index("COMPTOIR_GENERATOR__REPLICA") < names.index(variable)
    (url,) = [it["value"] for it in container["env"] if it["name"] == variable]
    assert url == "https://llama-$(COMPTOIR_GENERATOR__REPLICA).engines.svc:8443"
    secrets = {it["name"]: it["secret"] for it in pod["volumes"] if it["name"].startswith("server-")}
    assert [secrets[it]["items"][0]["key"] for it in ("server-ca", "server-key")] == ["ca.crt", "api-key"]
    assert {it["defaultMode"] for it in secrets.values()} == {0o440}


def test_a_replica_reaches_its_own_server_alone_and_nobody_reaches_one_in_its_pod(
    documents: list[Document],
) -> None:
    ways = Policies(of_kind(documents, "NetworkPolicy"))
    replicas = {
        name: Place(namespace_of(pool(documents, name)), labels_of(pool(documents, name)))
        for name in ("beside", "elsewhere", "tiny")
    }
    reaching = {name for name, place in replicas.items() if ways.may_reach(place, LLAMA, 8443)}
    assert reaching == {"elsewhere"}
    assert not ways.may_reach(replicas["elsewhere"], LLAMA, 8000)
    assert not ways.may_reach(replicas["elsewhere"], Place("engines", {"app": "other"}), 8443)
    edge = named(documents, "Deployment", "comptoir-edge")
    for caller in (Place("comptoir", labels_of(edge)), LLAMA, replicas["tiny"]):
        assert not ways.may_reach(caller, replicas["beside"], 8000)


def wrong(name: str, settings: Mapping[str, Any] | None = None, **server: Any) -> str:
    """Values with a pool that is as the example's but for its server."""
    example = yaml.safe_load(SERVERS.read_text())["pools"][name]
    example["server"] |= server
    example["settings"] = example.get("settings", {}) | dict(settings or {})
    return f"pools.{name}={json.dumps(example)}"


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        (wrong("beside", kind=""), "pools.beside.server.kind is empty: say whose server it is"),
        (wrong("beside", {"engine": "vllm"}), "pools.beside.settings.engine is vllm: leave one out"),
        (wrong("beside", image=""), "needs either image, a server in the replica's pod, or url"),
        (wrong("beside", url="https://a.b.svc"), "needs either image, a server in the replica's pod, or url"),
        (wrong("beside", kind="tensorrt_llm"), 'settings.openai_server.prefix_cache to "off"'),
        (
            wrong("beside", {"openai_server": {"prefix_cache": "one_tenant"}}),
            "name that tenant's number in pools.beside.settings.tenant",
        ),
        (wrong("beside", port=8402), "server.port is 8402, on which the replica listens"),
        (wrong("beside", port=9464), "server.port is 9464, on which the replica listens"),
        (wrong("beside", caSecret="ca"), "leave to, caSecret and apiKeySecret to servers with a url"),
        (wrong("elsewhere", url="https://engines.example.us"), "prompts would leave the region"),
        (wrong("elsewhere", url="https://a.svc.example.us"), "is not a service of this cluster"),
        (wrong("elsewhere", url="https://llama.engines.svc"), "put {replica} into it"),
        (wrong("elsewhere", to=[]), "server.to is empty"),
        (wrong("elsewhere", to=[{"ipBlock": {"cidr": "10.0.0.0/8"}}]), "names others than the server's pods"),
        (wrong("elsewhere", to=[{"namespaceSelector": {}}]), "names others than the server's pods"),
        (wrong("elsewhere", to=[EVERYBODY]), "names others than the server's pods"),
        (wrong("elsewhere", to=[{**EVERYBODY, **NAMESPACE}]), "names others than the server's pods"),
        (wrong("elsewhere", url="https://llama-{replica}.svc"), "is not a service of this cluster"),
        (wrong("elsewhere", url="https://{pod}-{replica}.a.svc"), "is not a service of this cluster"),
        (wrong("elsewhere", url="https://a-{replica}.b.svc:70000"), "has the port 70000"),
        (wrong("elsewhere", url="http://llama-{replica}.engines.svc"), "/pools/elsewhere/server/url"),
        *(
            (wrong("beside", livenessProbe={asked: {"port": 8000}}), "and the server listens on loopback")
            for asked in ("httpGet", "tcpSocket", "grpc")
        ),
        # No pool has a secret that it does not need.
        ('pools.tiny.server={"apiKeySecret": "engines-key"}', "pools.tiny.server.kind is empty"),
        (wrong("beside", kind="openai"), "/pools/beside/server/kind"),
    ],
)
def test_a_server_that_cannot_be_or_would_not_be_in_the_region_is_refused(
    helm: Helm, value: str, sentence: str
) -> None:
    assert sentence in refusal(helm, value)


def one_tenants(first: int, tenant: int, url: str) -> str:
    """A pool whose server keeps what its only tenant asked."""
    server = {"kind": "vllm", "url": url, "to": [NAMESPACE | PODS]}
    settings = {"tenant": tenant, "openai_server": {"prefix_cache": "one_tenant"}}
    own = {"model": "tiny-eu", "firstReplica": first, "maxReplicas": 2, "modelFiles": {"claim": "m"}}
    return json.dumps(own | {"replicas": 1, "server": server, "settings": settings})


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("https://vllm.engines.svc", "https://vllm.engines.svc.cluster.local:443"),
        ("https://vllm-{replica}.engines.svc:8443", "https://vllm-32.engines.svc:8443"),
    ],
)
def test_no_server_is_that_of_two_pools_and_shows_one_tenant_what_another_asked(
    helm: Helm, one: str, other: str
) -> None:
    pools = (f"pools.a={one_tenants(31, 7, one)}", f"pools.b={one_tenants(41, 8, other)}")
    assert "pools.a and pools.b both have the server" in refusal(helm, *pools)


def test_one_replica_needs_no_number_in_the_name_of_its_server(helm: Helm) -> None:
    url = "https://llama.engines.svc.cluster.local"
    helm.template(
        SMALL,
        *("--values", str(SERVERS), "--set", "pools.elsewhere.replicas=1"),
        *("--set", f"pools.elsewhere.server.url={url}"),
    )
