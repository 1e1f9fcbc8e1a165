"""What tests of the chart share: helm, and the examples as it renders them."""

from pathlib import Path

import pytest

from tests.cluster.chart import PRODUCTION, SMALL, Document, Helm
from tests.cluster.wheel_programs import unpacked


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
