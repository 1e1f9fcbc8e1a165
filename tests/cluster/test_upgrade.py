"""The chart of the last release with its own values becomes this one on a real API server, and comes back."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from tests.cluster.chart import CHART, NAMESPACE, Helm, container_of
from tests.cluster.installation import Installation, namespaces
from tests.cluster.small_cluster import SmallCluster
from tests.upgrade.releases import LATEST, Release, releases

pytestmark = pytest.mark.cluster

NEW_DIGEST: Final = f"sha256:{'5a' * 32}"
PRODUCTION: Final = LATEST.folder / "values-production.yaml"
VERSION: Final = str(yaml.safe_load((CHART / "Chart.yaml").read_text())["version"])
AVAILABLE: Final = r'jsonpath={.status.availableReplicas}{"\n"}'


def values_of_releases() -> list[tuple[Release, Path]]:
    return [
        (release, path) for release in releases() for path in sorted(release.folder.glob("values-*.yaml"))
    ]


@pytest.mark.parametrize(
    ("release", "values"),
    values_of_releases(),
    ids=[f"{release.version}-{path.stem}" for release, path in values_of_releases()],
)
def test_values_of_a_release_are_values_of_this_chart(helm: Helm, release: Release, values: Path) -> None:
    assert helm.template(values)


@pytest.fixture(scope="module")
def release(helm: Helm, small_kubernetes: SmallCluster) -> Iterator[Installation]:
    """The last release, installed as its operator did, with secrets that the chart did not make."""
    installation = Installation(helm, small_kubernetes)
    with namespaces(small_kubernetes):
        metadata = {"name": "comptoir-router", "namespace": NAMESPACE}
        small_kubernetes.apply({"apiVersion": "v1", "kind": "Secret", "metadata": metadata})
        installation.install(chart=LATEST.chart, values=PRODUCTION)
        installation.until_rolled_out()
        yield installation


def images(release: Installation) -> dict[str, str]:
    """The image of each workload, by its name; its pods run it."""
    declared = {
        it["metadata"]["name"]: container_of(it)["image"]
        for it in release.cluster.list("deployments,statefulsets", NAMESPACE)
    }
    for pod in release.cluster.list("pods", NAMESPACE):
        (name,) = (name for name in declared if pod["metadata"]["name"].startswith(f"{name}-"))
        (container,) = pod["spec"]["containers"]
        assert container["image"] == declared[name]
    return declared


def kept(release: Installation) -> dict[tuple[str, str], str]:
    """Claims and secrets by their identities, without helm's own record of each revision."""
    return {
        (it["kind"], it["metadata"]["name"]): it["metadata"]["uid"]
        for it in release.cluster.list("persistentvolumeclaims,secrets", NAMESPACE)
        if it.get("type") != "helm.sh/release.v1"
    }


def away_at_once(release: Installation) -> dict[tuple[str, str], Any]:
    """How many pods may be away, by budgets and by updates of workloads."""
    kinds = "poddisruptionbudgets,deployments,statefulsets"
    found: dict[tuple[str, str], Any] = {}
    for it in release.cluster.list(kinds, NAMESPACE):
        spec = it["spec"]
        bound = spec.get("maxUnavailable") or spec.get("strategy") or spec["updateStrategy"]
        found[it["kind"], it["metadata"]["name"]] = bound
    return found


@contextmanager
def available(cluster: SmallCluster, workload: str) -> Iterator[list[str]]:
    with cluster.watching(workload, "-n", NAMESPACE, "-o", AVAILABLE) as lines:
        yield lines


@pytest.mark.system
@pytest.mark.alone
@pytest.mark.timeout(6000)
def test_an_upgrade_in_the_order_of_its_page_and_a_rollback_keep_secrets_volumes_and_pods_that_serve(
    release: Installation,
) -> None:
    values = ("--values", str(PRODUCTION))
    before, bounds, stayed = images(release), away_at_once(release), kept(release)
    assert {image.rpartition(":")[2] for image in before.values()} == {LATEST.version}
    assert ("Secret", "comptoir-router") in stayed

    # Under the earlier chart, one process after another: here the first, with the image of this version.
    pinned = f"image.digests.usage={NEW_DIGEST}"
    release.helm("upgrade", "comptoir", str(LATEST.chart), *values, "--set", pinned)
    release.until_rolled_out()
    changed = {name for name, image in images(release).items() if image != before[name]}
    assert changed == {"comptoir-usage"}

    # Then the chart.
    with (
        available(release.cluster, "deployment/comptoir-edge") as edges,
        available(release.cluster, "statefulset/comptoir-router") as routers,
    ):
        release.helm("upgrade", "comptoir", str(CHART), *values)
        release.until_rolled_out()
    assert {image.rpartition(":")[2] for image in images(release).values()} == {VERSION}
    assert min(int(line or 0) for line in edges) >= 3
    assert min(int(line or 0) for line in routers) >= 2
    assert away_at_once(release).items() >= bounds.items()
    assert kept(release).items() >= stayed.items()

    release.helm("rollback", "comptoir", "1")
    release.until_rolled_out()
    assert images(release) == before
    assert kept(release).items() >= stayed.items()
