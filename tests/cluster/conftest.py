"""What tests of the chart share: helm, the examples as it renders them, and a real API server."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.chart import PRODUCTION, SMALL, Document, Helm
from tests.cluster.kube.build import built
from tests.cluster.small_cluster import SmallCluster, small_cluster
from tests.cluster.wheel_programs import unpacked


def say(line: str) -> None:
    """Past the capture: a build takes minutes."""
    print(line, file=sys.__stderr__, flush=True)


@pytest.fixture(scope="session")
def helm(tmp_path_factory: pytest.TempPathFactory) -> Helm:
    return Helm(unpacked() / "helm", tmp_path_factory.mktemp("helm"))


@pytest.fixture(scope="session")
def small(helm: Helm) -> list[Document]:
    return helm.template(SMALL)


@pytest.fixture(scope="session")
def production(helm: Helm) -> list[Document]:
    return helm.template(PRODUCTION)


@pytest.fixture(scope="session", params=[SMALL, PRODUCTION], ids=lambda path: Path(path).stem)
def example(helm: Helm, request: pytest.FixtureRequest) -> list[Document]:
    return helm.template(request.param)


@pytest.fixture(scope="session")
def small_kubernetes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallCluster]:
    folder = tmp_path_factory.mktemp("kubernetes")
    with small_cluster(built(say), unpacked() / "kubectl", folder) as cluster:
        yield cluster
