"""A release of the chart's small example, rendered for containers, and run in them."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.cluster.chart import SMALL, Document, Helm
from tests.cluster.wheel_programs import unpacked
from tests.images.pods import Pods

# Drains are told to a load balancer that is not here, and all metrics would have one port.
_SET: Final = (
    "edge.settings.drain_notice_seconds=0.5",
    "metrics.port=0",
    "console.enabled=true",
    "console.hosts[0]=console.example.eu",
    "console.signOn.proxy.addresses[0]=127.0.0.0/8",
    "networkPolicies.consoleFrom[0].ipBlock.cidr=10.9.0.0/24",
)
_SERVING: Final = (
    "comptoir-emitter",
    "comptoir-router",
    "comptoir-pool-tiny",
    "comptoir-edge",
    "comptoir-console",
)


def rendered(folder: Path, engine: str) -> list[Document]:
    """Every document of the release, whose replicas have this engine."""
    settings = (*_SET, f"pools.tiny.settings.engine={engine}")
    helm = Helm(unpacked() / "helm", folder)
    return helm.template(SMALL, *(word for one in settings for word in ("--set", one)))


@contextmanager
def running(folder: Path, documents: list[Document], images: dict[str, str]) -> Iterator[Pods]:
    """Every process of the release in its container, all serving but the pipeline."""
    with Pods(folder, documents, images) as pods:
        for name in (*_SERVING, "comptoir-usage"):
            pods.start(name)
        pods.until_healthy(*_SERVING)
        yield pods
