"""What tests of images share: the images, and one release of the chart in containers of them."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.chart import SMALL, Document, Helm
from tests.cluster.wheel_programs import unpacked
from tests.images import built
from tests.images.opened import Opened, opened
from tests.images.pods import Pods

# Drains are told to a load balancer that is not here, and all metrics would have one port.
_SET = (
    "edge.settings.drain_notice_seconds=0.5",
    "metrics.port=0",
    "pools.tiny.settings.engine=simulated",
    "console.enabled=true",
    "console.hosts[0]=console.example.eu",
    "console.signOn.proxy.addresses[0]=127.0.0.0/8",
    "networkPolicies.consoleFrom[0].ipBlock.cidr=10.9.0.0/24",
)


@pytest.fixture(scope="session")
def images() -> dict[str, str]:
    """The images by target; a build says on the terminal how far it is."""
    sys.__stderr__.flush() if sys.__stderr__ else None
    return built.names()


@pytest.fixture(scope="session")
def release(tmp_path_factory: pytest.TempPathFactory) -> list[Document]:
    helm = Helm(unpacked() / "helm", tmp_path_factory.mktemp("helm"))
    return helm.template(SMALL, *(word for one in _SET for word in ("--set", one)))


@pytest.fixture(scope="session", params=built.TARGETS)
def image(request: pytest.FixtureRequest, images: dict[str, str]) -> Iterator[Opened]:
    """Each image, with its files."""
    with opened(request.param, images[request.param]) as one:
        yield one


@pytest.fixture(scope="module")
def pods(
    tmp_path_factory: pytest.TempPathFactory, release: list[Document], images: dict[str, str]
) -> Iterator[Pods]:
    """Every process of the release in its container, all serving but the pipeline."""
    folder: Path = tmp_path_factory.mktemp("pods")
    with Pods(folder, release, images) as running:
        for name in ("comptoir-emitter", "comptoir-router", "comptoir-pool-tiny", "comptoir-edge"):
            running.start(name)
        running.start("comptoir-usage")
        running.start("comptoir-console")
        serving = ("comptoir-emitter", "comptoir-router", "comptoir-pool-tiny", "comptoir-edge")
        running.until_healthy(*serving, "comptoir-console")
        yield running
