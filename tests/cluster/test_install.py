"""The chart on a real API server: installed, admitted, scheduled, upgraded, rolled back and taken away."""

import json
from collections.abc import Iterator

import pytest

from tests.cluster.chart import CHART, NAMESPACE, PRODUCTION, SERVERS, SMALL, Helm, RefusedError
from tests.cluster.installation import SECONDS, Installation, namespaces
from tests.cluster.small_cluster import REGION, ClusterError, SmallCluster

# The programs may have to be built first.
pytestmark = [pytest.mark.system, pytest.mark.alone, pytest.mark.cluster, pytest.mark.timeout(6000)]


@pytest.fixture(scope="module")
def cluster(small_kubernetes: SmallCluster) -> Iterator[SmallCluster]:
    with namespaces(small_kubernetes):
        yield small_kubernetes


@pytest.fixture(scope="module")
def release(helm: Helm, cluster: SmallCluster) -> Iterator[Installation]:
    installation = Installation(helm, cluster)
    installation.install()
    installation.until_rolled_out()
    yield installation
    if "comptoir" in installation.helm("list", "--short"):
        installation.helm("uninstall", "comptoir", "--wait")


def test_wrong_values_install_nothing(helm: Helm, cluster: SmallCluster) -> None:
    installation = Installation(helm, cluster)
    for wrong, sentence in (
        ("region=Paris", "/region"),
        ("router.database.host=", "several routers share one PostgreSQL"),
        ("pools.acme.firstReplica=8", "both have replica number 8"),
    ):
        with pytest.raises(RefusedError, match=sentence):
            installation.install("--set", wrong)
    assert installation.objects() == set()
    assert installation.helm("list", "--short") == ""


def test_a_restricted_namespace_takes_every_pod_and_they_run(release: Installation) -> None:
    pods = release.pods()
    assert {pod["status"]["phase"] for pod in pods} == {"Running"}
    found: dict[str, int] = {}
    for pod in pods:
        process = pod["metadata"]["labels"]["app.kubernetes.io/component"]
        found[process] = found.get(process, 0) + 1
    # KEDA would make the first of a pool that it scales; without it there is the one of a new StatefulSet.
    assert found == {"edge": 3, "router": 3, "emitter": 3, "usage": 2, "generator": 3, "console": 1}


def test_a_pod_with_rights_is_refused_there(release: Installation) -> None:
    container = {"name": "one", "image": "any", "securityContext": {"privileged": True}}
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "bad", "namespace": NAMESPACE},
        "spec": {"containers": [container]},
    }
    with pytest.raises(ClusterError, match="violates PodSecurity"):
        release.cluster.apply(pod)


def test_every_pod_is_on_a_node_of_its_region_and_spread(release: Installation) -> None:
    nodes = {it["metadata"]["name"]: it["metadata"]["labels"] for it in release.cluster.list("nodes", "")}
    used: dict[str, set[str]] = {}
    for pod in release.pods():
        node = pod["spec"]["nodeName"]
        assert nodes[node][REGION] == "fr-par"
        used.setdefault(pod["metadata"]["labels"]["app.kubernetes.io/component"], set()).add(node)
    assert used["edge"] == used["router"] == {"paris-1", "paris-2"}


def test_each_replica_is_told_the_number_of_its_pod(release: Installation) -> None:
    numbers = {
        pod["metadata"]["name"]: pod["metadata"]["labels"]["apps.kubernetes.io/pod-index"]
        for pod in release.pods()
        if pod["metadata"]["labels"]["app.kubernetes.io/component"] in {"generator", "router"}
    }
    assert numbers == {
        "comptoir-router-1": "1",
        "comptoir-router-2": "2",
        "comptoir-router-3": "3",
        "comptoir-pool-small-1": "1",
        "comptoir-pool-acme-101": "101",
        "comptoir-pool-acme-102": "102",
    }


def test_only_one_pod_of_a_process_may_go_at_once(release: Installation) -> None:
    cluster = release.cluster
    budget = "poddisruptionbudget/comptoir-router"
    cluster.kubectl(
        "wait",
        "--for=jsonpath={.status.disruptionsAllowed}=1",
        budget,
        "-n",
        NAMESPACE,
        f"--timeout={SECONDS}",
    )
    # While none may be made again where it was, the second stays.
    for node in ("paris-1", "paris-2"):
        cluster.kubectl("cordon", node)
    try:
        evict(cluster, "comptoir-router-1")
        with pytest.raises(ClusterError, match="would violate the pod's disruption budget"):
            evict(cluster, "comptoir-router-2")
    finally:
        for node in ("paris-1", "paris-2"):
            cluster.kubectl("uncordon", node)
    release.until_rolled_out()


def evict(cluster: SmallCluster, pod: str) -> None:
    eviction = {
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": {"name": pod, "namespace": NAMESPACE},
    }
    path = f"/api/v1/namespaces/{NAMESPACE}/pods/{pod}/eviction"
    cluster.kubectl("create", f"--raw={path}", "-f", "-", stdin=json.dumps(eviction))


def test_a_wrong_scaled_object_is_refused_and_ours_is_not(release: Installation) -> None:
    (ours,) = release.cluster.list("scaledobjects", NAMESPACE)
    assert ours["metadata"]["name"] == "comptoir-pool-small"
    wrong = {
        "apiVersion": ours["apiVersion"],
        "kind": "ScaledObject",
        "metadata": {"name": "wrong", "namespace": NAMESPACE},
        "spec": {"scaleTargetRef": {"name": "any"}, "maxReplicaCount": "many", "triggers": []},
    }
    with pytest.raises(ClusterError, match="maxReplicaCount"):
        release.cluster.apply(wrong)


def test_an_upgrade_replaces_what_changed_and_a_rollback_brings_it_back(release: Installation) -> None:
    def state() -> tuple[str, dict[str, str]]:
        files = {
            it["metadata"]["name"]: it["data"]["comptoir.yaml"]
            for it in release.cluster.list("configmaps", NAMESPACE)
            if "comptoir.yaml" in it["data"]
        }
        deployments = {it["metadata"]["name"]: it for it in release.cluster.list("deployments", NAMESPACE)}
        edge = deployments["comptoir-edge"]
        return edge["spec"]["template"]["metadata"]["annotations"]["comptoir/settings"], files

    before = state()
    values = ("--values", str(PRODUCTION), "--set", "edge.settings.max_connections=9000")
    release.helm("upgrade", "comptoir", str(CHART), *values)
    release.until_rolled_out()
    after = state()
    assert after[0] != before[0]
    changed = {name for name, text in after[1].items() if before[1][name] != text}
    assert changed == {"comptoir-edge"}
    release.helm("rollback", "comptoir", "1")
    release.until_rolled_out()
    assert state() == before
    revisions = json.loads(release.helm("history", "comptoir", "--output=json"))
    assert [it["status"] for it in revisions] == ["superseded", "superseded", "deployed"]


def test_an_upgrade_leaves_the_number_of_replicas_to_the_autoscaler(release: Installation) -> None:
    cluster, pool = release.cluster, "statefulset/comptoir-pool-small"
    cluster.kubectl("scale", pool, "--replicas=2", "-n", NAMESPACE)
    release.helm("upgrade", "comptoir", str(CHART), "--values", str(PRODUCTION), "--set", "logLevel=warning")
    assert cluster.kubectl("get", pool, "-n", NAMESPACE, "-o=jsonpath={.spec.replicas}") == "2"


def test_a_pool_that_is_scaled_from_now_on_keeps_the_replicas_that_it_has(release: Installation) -> None:
    cluster, name = release.cluster, "comptoir-pool-small"

    def upgraded(*more: str) -> tuple[int, int]:
        values = ("--values", str(PRODUCTION), "--reset-values", *more)
        release.helm("upgrade", "comptoir", str(CHART), *values)
        (pool,) = [it for it in cluster.list("statefulsets", NAMESPACE) if it["metadata"]["name"] == name]
        return pool["spec"]["replicas"], pool["metadata"]["generation"]

    fixed = ("--set", "pools.small.autoscaling.enabled=false", "--set", "pools.small.replicas=3")
    assert upgraded(*fixed)[0] == 3
    found, generation = upgraded()
    assert found == 3
    # Nor once in between: what nothing changed has the generation that it had.
    assert upgraded() == (3, generation)


def test_a_replica_with_a_server_in_its_pod_is_taken_and_runs(release: Installation) -> None:
    models = ("--set", "pools.beside.model=acme-small", "--set", "pools.elsewhere.model=acme-small")
    values = ("--values", str(PRODUCTION), "--values", str(SERVERS), *models)
    release.helm("upgrade", "comptoir", str(CHART), *values)
    release.until_rolled_out()
    names = {f"comptoir-pool-{name}" for name in ("beside-11", "beside-12", "elsewhere-21", "elsewhere-22")}
    pods = {it["metadata"]["name"]: it for it in release.pods()}
    assert {pods[name]["status"]["phase"] for name in names} == {"Running"}
    (server,) = pods["comptoir-pool-beside-11"]["spec"]["initContainers"]
    assert server["restartPolicy"] == "Always"


def test_an_uninstall_leaves_volumes_and_nothing_else(release: Installation) -> None:
    assert release.objects()
    release.helm("uninstall", "comptoir", "--wait")
    assert release.objects() == set()
    claims = {it["metadata"]["name"] for it in release.cluster.list("persistentvolumeclaims", NAMESPACE)}
    assert {f"data-comptoir-emitter-{number}" for number in range(3)} <= claims


def test_the_small_example_is_admitted_too(helm: Helm, cluster: SmallCluster) -> None:
    installation = Installation(helm, cluster)
    said = installation.helm("install", "comptoir", str(CHART), "--values", str(SMALL), "--dry-run=server")
    assert "STATUS: pending-install" in said
