"""What tests of images share: the images, and one release of the chart in containers of them.

What has to do with the image of vLLM has the mark `large`: it takes too long and too much room for every run.
"""

import sys
from collections.abc import Iterator

import pytest

from tests.cluster.chart import Document
from tests.images import built
from tests.images.opened import Opened, opened
from tests.images.pods import Pods
from tests.images.releases import rendered, running


@pytest.fixture(scope="session")
def images() -> dict[str, str]:
    """The images by target; a build says on the terminal how far it is."""
    sys.__stderr__.flush() if sys.__stderr__ else None
    return built.names()


@pytest.fixture(scope="session")
def release(tmp_path_factory: pytest.TempPathFactory) -> list[Document]:
    return rendered(tmp_path_factory.mktemp("helm"), "simulated")


@pytest.fixture(scope="session", params=[*built.TARGETS, pytest.param(built.LARGE, marks=pytest.mark.large)])
def image(request: pytest.FixtureRequest, images: dict[str, str]) -> Iterator[Opened]:
    """Each image, with its files."""
    target = request.param
    name = images[target] if target in images else built.names((target,))[target]
    with opened(target, name) as one:
        yield one


@pytest.fixture(scope="module", params=["simulated", pytest.param("vllm", marks=pytest.mark.large)])
def pods(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, images: dict[str, str]
) -> Iterator[Pods]:
    """Every process of the release in its container, with the simulated engine and with vLLM."""
    large = built.names((built.LARGE,)) if request.param == "vllm" else {}
    documents = rendered(tmp_path_factory.mktemp("helm"), request.param)
    with running(tmp_path_factory.mktemp("pods"), documents, {**images, **large}) as every:
        yield every
