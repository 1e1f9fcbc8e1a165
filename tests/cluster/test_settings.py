"""Every process takes the settings, files and variables that the chart gives it, and asks for no others."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from services.runtime.settings import environment
from tests.cluster.chart import (
    PRODUCTION,
    REPOSITORY,
    Document,
    Helm,
    PodFiles,
    container_of,
    named,
    of_kind,
    pod_of,
    workloads,
)

pytestmark = [pytest.mark.system, pytest.mark.cluster]
SECONDS = 240


def checked(workload: Document, documents: list[Document], folder: Path) -> tuple[int, str]:
    """What the pod's own command says of its settings, with `--check`."""
    files = PodFiles(folder, workload, documents)
    container = container_of(workload)
    _, *module = container["command"]
    arguments = [str(files.at(it)) if it.startswith("/") else it for it in container["args"]]
    done = subprocess.run(
        (sys.executable, *module, *arguments, "--check"),
        cwd=REPOSITORY,
        env={**environment(), **files.variables()},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def test_each_process_finds_its_settings_usable_and_every_file_mounted(
    example: list[Document], tmp_path: Path
) -> None:
    for workload in workloads(example):
        name = workload["metadata"]["name"]
        status, said = checked(workload, example, tmp_path / name)
        assert status == 0, said


def test_edges_can_be_told_to_let_all_routers_admit(helm: Helm, tmp_path: Path) -> None:
    documents = helm.template(PRODUCTION, "--set", "edge.settings.spread_over_routers=true")
    edge = yaml.safe_load(named(documents, "ConfigMap", "comptoir-edge")["data"]["comptoir.yaml"])["edge"]
    assert (edge["spread_over_routers"], len(edge["further_routers"])) == (True, 2)
    status, said = checked(named(documents, "Deployment", "comptoir-edge"), documents, tmp_path)
    assert status == 0, said


def test_a_collector_of_the_same_authority_is_shown_the_certificate_of_each_process(
    helm: Helm, tmp_path: Path
) -> None:
    documents = helm.template(PRODUCTION, "--set", "telemetry.ownCertificates=true")
    workload = named(documents, "StatefulSet", "comptoir-emitter")
    settings = yaml.safe_load(named(documents, "ConfigMap", "comptoir-emitter")["data"]["comptoir.yaml"])
    assert settings["telemetry"]["otlp_tls"] == settings["emitter"]["metrics_listen"]["tls"]
    assert checked(workload, documents, tmp_path) == (0, "comptoir emitter: the settings are usable.\n")


def test_a_file_that_is_not_mounted_is_found_out(small: list[Document], tmp_path: Path) -> None:
    workload = named(small, "StatefulSet", "comptoir-emitter")
    for mount in list(workload["spec"]["template"]["spec"]["containers"][0]["volumeMounts"]):
        if mount["name"] == "secrets":
            without = yaml.safe_load(yaml.safe_dump(workload))
            without["spec"]["template"]["spec"]["containers"][0]["volumeMounts"].remove(mount)
    status, said = checked(without, small, tmp_path)
    assert status == 2
    assert "pseudonym_secret_file" in said


def test_settings_of_the_values_arrive_and_those_of_the_chart_stay(helm: Helm) -> None:
    documents = helm.template(
        PRODUCTION,
        *("--set", "edge.settings.max_connections=9000"),
        *("--set", "pools.small.settings.vllm.max_running_requests=7"),
        *("--set", "emitter.settings.spool_max_bytes=2147483648"),
    )
    edge, pool, emitter = (settings(documents, it) for it in ("edge", "pool-small", "emitter"))
    assert edge["edge"]["max_connections"] == 9000
    assert pool["generator"]["vllm"] == {
        "max_running_requests": 7,
        "tensor_parallel_size": 2,
        "is_download_allowed": False,
        "kv_cache_memory_bytes": 0,
    }
    assert emitter["emitter"]["spool_max_bytes"] == 2_147_483_648


def test_a_scaled_pool_of_one_tenant_is_scaled_for_that_tenant(helm: Helm, tmp_path: Path) -> None:
    tenant = 4_294_967_295
    documents = helm.template(PRODUCTION, "--set", f"pools.small.settings.tenant={tenant}")
    (rules,) = settings(documents, "router")["router"]["scaling"]
    assert (rules["model"], rules["tenant"]) == ("mistral-small", tenant)
    assert settings(documents, "pool-small")["generator"]["tenant"] == tenant
    status, said = checked(named(documents, "StatefulSet", "comptoir-router"), documents, tmp_path)
    assert status == 0, said


def test_a_scaled_pool_of_all_tenants_is_scaled_for_all(production: list[Document]) -> None:
    (rules,) = settings(production, "router")["router"]["scaling"]
    assert "tenant" not in rules


def test_kafka_knows_the_two_clients_by_their_passwords_where_it_is_told_users(helm: Helm) -> None:
    sasl = '{"emitterUser": "comptoir-emitter", "usageUser": "comptoir-usage"}'
    documents = helm.template(
        PRODUCTION,
        *("--set", "kafka.tlsSecret=", "--set", "kafka.caSecret=kafka-ca"),
        *("--set-json", f"kafka.sasl={sasl}"),
    )
    for process in ("emitter", "usage"):
        kafka = settings(documents, process)[process]["kafka"]
        assert "tls" not in kafka
        assert kafka["ca_file"] == "/etc/comptoir/kafka/ca.crt"
        assert kafka["sasl"] == {
            "mechanism": "SCRAM-SHA-512",
            "user": f"comptoir-{process}",
            "password_file": "/etc/comptoir/secrets/kafka-password",
        }
        volumes = {
            it["name"]: it for it in pod_of(named(documents, "StatefulSet", f"comptoir-{process}"))["volumes"]
        }
        assert "kafka-password" in {it["key"] for it in volumes["secrets"]["secret"]["items"]}
        assert volumes["kafka"]["secret"]["secretName"] == "kafka-ca"


def test_each_process_is_told_its_own_section_and_no_other(example: list[Document]) -> None:
    for document in of_kind(example, "ConfigMap"):
        sections = set(yaml.safe_load(document["data"]["comptoir.yaml"])) & {
            "edge",
            "router",
            "generator",
            "emitter",
            "usage",
            "console",
        }
        assert sections == {document["metadata"]["labels"]["app.kubernetes.io/component"]}


def test_every_producer_speaks_to_one_emitter_that_is_there(production: list[Document]) -> None:
    addresses = {
        name: settings(production, name)[section]["emitter"]["address"]
        for name, section in (("edge", "edge"), ("router", "router"), ("pool-small", "generator"))
    }
    assert addresses == {
        "edge": "comptoir-emitter-0.comptoir-emitter.comptoir.svc.cluster.local:8403",
        "router": "comptoir-emitter-1.comptoir-emitter.comptoir.svc.cluster.local:8403",
        "pool-small": "comptoir-emitter-2.comptoir-emitter.comptoir.svc.cluster.local:8403",
    }


def test_edges_list_every_router_and_generators_follow_their_name(production: list[Document]) -> None:
    edge = settings(production, "edge")["edge"]
    listed = [edge["router"]["address"], *(it["address"] for it in edge["further_routers"])]
    host = "comptoir-router.comptoir.svc.cluster.local"
    assert listed == [f"comptoir-router-{number}.{host}:8401" for number in (1, 2, 3)]
    assert settings(production, "pool-acme")["generator"]["router"]["address"] == f"{host}:8411"
    assert settings(production, "router")["router"]["lease_store"]["sharing_routers"] == 3


def settings(documents: list[Document], name: str) -> Document:
    found: Document = yaml.safe_load(
        named(documents, "ConfigMap", f"comptoir-{name}")["data"]["comptoir.yaml"]
    )
    return found
