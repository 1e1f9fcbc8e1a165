"""An image's files and what it says of itself, without running it."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.runtime.settings import environment
from tests.images import engine

_SECONDS = 600


@dataclass(frozen=True, slots=True)
class Opened:
    """One image: the folder of its files, and its configuration."""

    target: str
    name: str
    root: Path
    config: dict[str, Any]

    @property
    def site_packages(self) -> Path:
        """Where its Python finds libraries."""
        return self.root / "opt/comptoir/lib/python3.11/site-packages"

    def document(self, name: str) -> Any:
        """SBOM or licences."""
        return json.loads((self.root / "usr/share/doc/comptoir" / name).read_text())

    def files(self) -> Iterator[Path]:
        """Every file and folder."""
        yield from self.root.rglob("*")


@contextmanager
def opened(target: str, name: str) -> Iterator[Opened]:
    """Mounts an image for as long as it is looked at."""
    container = buildah("from", "--pull-never", name)
    try:
        root = Path(buildah("mount", container))
        said = json.loads(buildah("inspect", "--type", "image", name))
        yield Opened(target, name, root, said["Docker"]["config"])
    finally:
        buildah("rm", container)


def buildah(*arguments: str) -> str:
    """What buildah says of the store that the tests use."""
    return subprocess.run(
        ("buildah", *arguments),  # noqa: S607 - the one that engine.install put there
        env={**environment(), **engine.variables()},
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=True,
    ).stdout.strip()
