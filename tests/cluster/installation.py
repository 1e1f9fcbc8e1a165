"""The chart on a cluster: helm as its operator runs it, and the namespaces that the examples need."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from tests.cluster.chart import CHART, NAMESPACE, PRODUCTION, Helm
from tests.cluster.small_cluster import SmallCluster

TENANT: Final = "comptoir-acme"
KINDS: Final = (
    "deployments,statefulsets,services,configmaps,serviceaccounts,poddisruptionbudgets,networkpolicies,"
    "certificates,scaledobjects,triggerauthentications,podmonitors"
)
# What Kubernetes itself puts into each namespace.
NOT_OURS: Final = {("ConfigMap", "kube-root-ca.crt"), ("ServiceAccount", "default")}
SECONDS: Final = "300s"


class Installation:
    """Helm against the cluster, for one release."""

    def __init__(self, helm: Helm, cluster: SmallCluster) -> None:
        self._helm = helm
        self.cluster = cluster

    def helm(self, command: str, *arguments: str) -> str:
        return self._helm.run(
            command, *arguments, "--namespace", NAMESPACE, KUBECONFIG=str(self.cluster.kubeconfig)
        )

    def install(self, *more: str, chart: Path = CHART, values: Path = PRODUCTION) -> str:
        return self.helm("install", "comptoir", str(chart), "--values", str(values), *more)

    def objects(self) -> set[tuple[str, str, str]]:
        return {
            (namespace, it["kind"], it["metadata"]["name"])
            for namespace in (NAMESPACE, TENANT)
            for it in self.cluster.list(KINDS, namespace)
            if (it["kind"], it["metadata"]["name"]) not in NOT_OURS
        }

    def until_rolled_out(self) -> None:
        for namespace in (NAMESPACE, TENANT):
            for it in self.cluster.list("deployments,statefulsets", namespace):
                name = f"{it['kind'].lower()}/{it['metadata']['name']}"
                self.cluster.kubectl("rollout", "status", name, "-n", namespace, f"--timeout={SECONDS}")

    def pods(self) -> list[dict[str, Any]]:
        return [pod for namespace in (NAMESPACE, TENANT) for pod in self.cluster.list("pods", namespace)]


@contextmanager
def namespaces(cluster: SmallCluster) -> Iterator[None]:
    """That of the release and that of its tenant, with what their pods claim."""
    for namespace in (NAMESPACE, TENANT):
        labels = {"pod-security.kubernetes.io/enforce": "restricted"}
        cluster.apply(
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace, "labels": labels}}
        )
    for name, namespace in (
        ("model-mistral-small", NAMESPACE),
        ("model-acme-small", TENANT),
        ("model-tiny-eu", NAMESPACE),
    ):
        cluster.apply(claim(name, namespace))
    try:
        yield
    finally:
        # The volumes that they claimed stay claimed, so that nobody finds what was on them.
        cluster.kubectl("delete", "namespace", NAMESPACE, TENANT, "--wait")


def claim(name: str, namespace: str) -> dict[str, Any]:
    spec = {"accessModes": ["ReadOnlyMany"], "resources": {"requests": {"storage": "10Gi"}}}
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": spec}
