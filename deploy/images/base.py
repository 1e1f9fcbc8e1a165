"""Makes the base of a build from Debian's packages, where no registry is at hand: debootstrap, as root."""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from services.runtime.settings import environment

BASE: Final = "localhost/comptoir-base:bookworm"
SUITE: Final = "bookworm"
# What the Dockerfile would install: so the build itself needs no package of Debian's.
PACKAGES: Final = ("ca-certificates", "media-types", "python3-distutils", "python3.11-venv", "tzdata")
_DROPPED: Final = ("var/cache/apt/archives", "var/lib/apt/lists", "var/log", "var/cache/debconf")
_SECONDS: Final = 1_800


def is_made(variables: Mapping[str, str] | None = None) -> bool:
    """Returns whether the store has the base."""
    return _status(["buildah", "inspect", "--type", "image", BASE], variables) == 0


def make_base(variables: Mapping[str, str] | None = None) -> None:
    """Makes the base unless it is there: a minute and a half; raises CalledProcessError where that fails."""
    if is_made(variables):
        return
    sys.stderr.write("images: the base, Debian by debootstrap, once\n")
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch) / "root"
        packages = ",".join(PACKAGES)
        # From the mirror that debootstrap itself knows.
        _run(["debootstrap", "--variant=minbase", f"--include={packages}", SUITE, str(root)], variables)
        for folder in _DROPPED:
            shutil.rmtree(root / folder, ignore_errors=True)
            (root / folder).mkdir(parents=True)
        container = _run(["buildah", "from", "scratch"], variables)
        _run(["buildah", "add", "--quiet", container, str(root), "/"], variables)
        _run(["buildah", "commit", "--quiet", "--rm", "--timestamp", "0", container, BASE], variables)


def _run(command: list[str], variables: Mapping[str, str] | None) -> str:
    done = subprocess.run(  # noqa: S603 - of the PATH, as the user set it up
        command,
        check=True,
        env={**environment(), **(variables or {})},
        stdout=subprocess.PIPE,
        text=True,
        timeout=_SECONDS,
    )
    return done.stdout.strip()


def _status(command: list[str], variables: Mapping[str, str] | None) -> int:
    return subprocess.run(  # noqa: S603 - of the PATH, as the user set it up
        command,
        check=False,
        env={**environment(), **(variables or {})},
        capture_output=True,
        timeout=_SECONDS,
    ).returncode
