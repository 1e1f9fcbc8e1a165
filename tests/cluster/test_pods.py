"""Every pod of the chart is closed, bounded, spread over its region, probed, and ends its answers first."""

import math
from typing import Any, Final

import pytest
import yaml

from tests.cluster.chart import (
    SMALL,
    Document,
    Helm,
    container_of,
    labels_of,
    named,
    namespace_of,
    of_kind,
    pod_of,
    workloads,
)

pytestmark = [pytest.mark.system, pytest.mark.cluster]

# By process, the settings whose sum is its longest drain, with their defaults.
DRAINS: Final = {
    "edge": {
        "drain_notice_seconds": 0,
        "drain_seconds": 30,
        "router_seconds": 10,
        "drain_events_seconds": 5,
    },
    "router": {"drain_seconds": 10, "emitter_wait_seconds": 5},
    "generator": {"drain_seconds": 25, "flush_seconds": 5},
    "emitter": {"grace_seconds": 5, "forward_grace_seconds": 5},
    "usage": {"release_seconds": 8},
    "console": {},
}


def settings_of(workload: Document, documents: list[Document]) -> Any:
    text = named(documents, "ConfigMap", workload["metadata"]["name"])["data"]["comptoir.yaml"]
    return yaml.safe_load(text)[labels_of(workload)["app.kubernetes.io/component"]]


def test_no_pod_has_a_token_nor_its_account(example: list[Document]) -> None:
    for account in of_kind(example, "ServiceAccount"):
        assert account["automountServiceAccountToken"] is False
    for workload in workloads(example):
        pod = pod_of(workload)
        assert pod["automountServiceAccountToken"] is False
        assert pod["serviceAccountName"] == workload["metadata"]["name"]
        assert named(example, "ServiceAccount", pod["serviceAccountName"])
        assert not any("projected" in volume for volume in pod["volumes"])
    assert not of_kind(example, "Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding", "Secret")


def test_every_container_is_without_rights_and_writes_to_named_folders_alone(example: list[Document]) -> None:
    for workload in workloads(example):
        pod, container = pod_of(workload), container_of(workload)
        assert pod["securityContext"]["runAsUser"] == 65532
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        writable = {it["mountPath"] for it in container["volumeMounts"] if not it.get("readOnly")}
        assert writable <= {"/tmp", "/dev/shm", "/var/lib/comptoir"}  # noqa: S108 - in a container
        scratch = [volume["emptyDir"] for volume in pod["volumes"] if "emptyDir" in volume]
        assert scratch
        assert all("sizeLimit" in it for it in scratch)


def test_files_that_change_are_mounted_so_that_they_do(example: list[Document]) -> None:
    for workload in workloads(example):
        assert not any("subPath" in mount for mount in container_of(workload)["volumeMounts"])


def test_every_container_says_what_it_needs_and_what_it_may_take(example: list[Document]) -> None:
    for workload in workloads(example):
        resources = container_of(workload)["resources"]
        assert {"cpu", "memory"} <= set(resources["requests"])
        assert "memory" in resources["limits"]


def test_a_pool_asks_for_its_gpus_and_reads_a_model_that_is_there(production: list[Document]) -> None:
    pool = named(production, "StatefulSet", "comptoir-pool-small")
    container, settings = container_of(pool), settings_of(pool, production)
    assert container["resources"]["limits"]["nvidia.com/gpu"] == "2"
    assert settings["vllm"]["tensor_parallel_size"] == 2
    assert settings["vllm"]["is_download_allowed"] is False
    assert settings["model_path"] == "/models"
    (model,) = [volume for volume in pod_of(pool)["volumes"] if volume["name"] == "model"]
    assert model["persistentVolumeClaim"] == {"claimName": "model-mistral-small", "readOnly": True}
    assert {"name": "HF_HUB_OFFLINE", "value": "1"} in container["env"]
    assert container["image"].split("/")[-1].startswith("comptoir-generator-cuda:")


def test_a_model_may_come_as_an_image(helm: Helm) -> None:
    files = '{"claim": "", "image": "registry.example/tiny-eu:1", "path": "/weights"}'
    documents = helm.template(SMALL, "--set-json", f"pools.tiny.modelFiles={files}")
    pool = named(documents, "StatefulSet", "comptoir-pool-tiny")
    (model,) = [volume for volume in pod_of(pool)["volumes"] if volume["name"] == "model"]
    assert model["image"] == {"reference": "registry.example/tiny-eu:1", "pullPolicy": "IfNotPresent"}
    assert settings_of(pool, documents)["model_path"] == "/models/weights"


def test_every_pod_stays_in_its_region_and_is_spread_there(example: list[Document]) -> None:
    for workload in workloads(example):
        pod, labels = pod_of(workload), labels_of(workload)
        assert labels["comptoir/region"] == "eu-fr"
        wanted = pod["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
        assert wanted["nodeSelectorTerms"] == [
            {
                "matchExpressions": [
                    {"key": "topology.kubernetes.io/region", "operator": "In", "values": ["fr-par"]}
                ]
            }
        ]
        selector = workload["spec"]["selector"]
        spread = pod["topologySpreadConstraints"]
        assert [it["topologyKey"] for it in spread] == [
            "topology.kubernetes.io/zone",
            "kubernetes.io/hostname",
        ]
        assert all(it["labelSelector"] == selector for it in spread)


def test_every_process_may_lose_one_pod_to_a_drain_of_nodes_at_once(example: list[Document]) -> None:
    # Of one pod it would forbid every drain of its node, or nothing.
    several = [it for it in workloads(example) if it["metadata"]["name"] != "comptoir-console"]
    for workload in several:
        budget = named(example, "PodDisruptionBudget", workload["metadata"]["name"])
        assert budget["spec"]["maxUnavailable"] == 1
        assert budget["spec"]["selector"] == workload["spec"]["selector"]
        assert namespace_of(budget) == namespace_of(workload)
    assert len(of_kind(example, "PodDisruptionBudget")) == len(several)


def test_pods_are_given_longer_than_their_longest_drain(example: list[Document]) -> None:
    for workload in workloads(example):
        settings = settings_of(workload, example)
        drain = DRAINS[labels_of(workload)["app.kubernetes.io/component"]]
        longest = sum(settings.get(name, default) for name, default in drain.items())
        assert pod_of(workload)["terminationGracePeriodSeconds"] >= math.ceil(longest) + 10


def test_an_update_cuts_no_stream(example: list[Document]) -> None:
    edge = named(example, "Deployment", "comptoir-edge")
    assert edge["spec"]["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}
    settings = settings_of(edge, example)
    # As long as the longest answer, after load balancers have seen that it goes.
    assert settings["drain_seconds"] >= settings.get("request_seconds", 600)
    assert settings["drain_notice_seconds"] >= 10
    for workload in workloads(example):
        if labels_of(workload)["app.kubernetes.io/component"] == "generator":
            own = settings_of(workload, example)
            assert own["drain_seconds"] >= own.get("max_request_seconds", 600)


def test_unready_is_not_dead(example: list[Document]) -> None:
    for workload in workloads(example):
        container = container_of(workload)
        asks = [container[f"{it}Probe"]["httpGet"] for it in ("startup", "liveness", "readiness")]
        assert [ask["path"] for ask in asks] == ["/healthz", "/healthz", "/readyz"]
        assert {ask["scheme"] for ask in asks} == {"HTTPS"}
        # A kubelet shows no certificate: the edge's clients show none either, and this port asks for none.
        is_edge = labels_of(workload)["app.kubernetes.io/component"] == "edge"
        port = "https" if is_edge else "metrics"
        assert {ask["port"] for ask in asks} == {port}
        assert port in {it["name"] for it in container["ports"]}
        settings = settings_of(workload, example)
        if not is_edge:
            assert {"containerPort": settings["metrics_listen"]["port"], "name": "metrics"} in container[
                "ports"
            ]


def test_a_probe_waits_for_longer_than_a_loop_that_stands_still_is_given(example: list[Document]) -> None:
    for workload in workloads(example):
        for name in ("startupProbe", "livenessProbe", "readinessProbe"):
            probe = container_of(workload)[name]
            assert probe["timeoutSeconds"] > 8 or probe["httpGet"]["port"] == "https"


def test_a_process_whose_node_is_busy_is_not_taken_for_dead(helm: Helm) -> None:
    """Without a port a program asks, which takes 1 s of a processor: 17 to 23 s beside 16 at work."""
    asked = 0
    for workload in workloads(helm.template(SMALL, "--set", "metrics.port=0")):
        container = container_of(workload)
        if "exec" in container["livenessProbe"]:
            asked += 1
            for probe in (container["startupProbe"], container["livenessProbe"]):
                assert probe["timeoutSeconds"] >= 30
                command = probe["exec"]["command"]
                assert command[:3] == ["python", "-m", "services.runtime.health_check"]
                assert command[-1] == "--is-alive"
                assert 20 <= float(command[command.index("--seconds") + 1]) < probe["timeoutSeconds"]
            assert "--is-alive" not in container["readinessProbe"]["exec"]["command"]
    assert asked == 4


def test_an_upgrade_that_replaces_the_emitter_too_loses_no_event_of_a_drain(example: list[Document]) -> None:
    """Producers and their emitter are told to go at the same time: what ends meanwhile waits for the next."""
    for workload in workloads(example):
        settings = settings_of(workload, example)
        emitter = named(example, "StatefulSet", "comptoir-emitter")
        away = pod_of(emitter)["terminationGracePeriodSeconds"]
        match labels_of(workload)["app.kubernetes.io/component"]:
            case "generator":
                assert settings["flush_seconds"] >= settings["usage_wait_seconds"] > away
            case "edge":
                assert settings["drain_events_seconds"] > away


def test_an_engine_has_the_time_to_load_its_model(production: list[Document]) -> None:
    probe = container_of(named(production, "StatefulSet", "comptoir-pool-small"))["startupProbe"]
    assert probe["failureThreshold"] * probe["periodSeconds"] == 1800


def test_a_change_of_settings_replaces_the_pods_that_it_is_for(helm: Helm, small: list[Document]) -> None:
    changed = helm.template(SMALL, "--set", "edge.settings.max_connections=9000")
    stamps = [
        {
            it["metadata"]["name"]: it["spec"]["template"]["metadata"]["annotations"]["comptoir/settings"]
            for it in workloads(documents)
        }
        for documents in (small, changed)
    ]
    assert {name for name, stamp in stamps[0].items() if stamps[1][name] != stamp} == {"comptoir-edge"}


def test_a_pool_of_a_tenant_is_in_the_tenants_namespace(production: list[Document]) -> None:
    own = [it for it in production if namespace_of(it) == "comptoir-acme"]
    assert {it["kind"] for it in own} == {
        "Certificate",
        "ConfigMap",
        "NetworkPolicy",
        "PodDisruptionBudget",
        "Service",
        "ServiceAccount",
        "StatefulSet",
    }
    assert {it["metadata"]["labels"].get("comptoir/tenant") for it in own} == {"acme", None}


def test_an_image_is_pinned_by_its_digest(helm: Helm) -> None:
    digest = f"sha256:{'a' * 64}"
    documents = helm.template(SMALL, "--set", f"image.digests.edge={digest}", "--set", "image.tag=2.0.0")
    images = {it["metadata"]["name"]: container_of(it)["image"] for it in workloads(documents)}
    assert images["comptoir-edge"].endswith(f"/comptoir-edge@{digest}")
    assert images["comptoir-emitter"].endswith("/comptoir-emitter:2.0.0")
    assert images["comptoir-pool-tiny"].endswith("/comptoir-generator-cpu:2.0.0")
