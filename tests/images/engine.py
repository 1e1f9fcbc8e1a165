"""Buildah and podman where there is no container engine: Debian's packages, a store below the cache, runc.

`python -m tests.images.engine` installs what is missing and prints what a shell needs to use the same store:
`eval "$(.venv/bin/python -m tests.images.engine)"`, then `make images`.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from services.runtime.settings import environment

PROGRAMS: Final[Mapping[str, str]] = {
    "buildah": "buildah",
    "podman": "podman",
    "runc": "runc",
    "debootstrap": "debootstrap",
    "jq": "jq",
    "nsenter": "util-linux",
    "ip": "iproute2",
    "objdump": "binutils",
}
AUTHORITIES: Final = Path("/etc/ssl/certs/ca-certificates.crt")
_BINARIES: Final = Path(sys.executable).parent
_APT_SECONDS: Final = 900
# Limits that root may not raise everywhere, and that no process of ours needs.
_RUNC: Final = """#!/bin/bash
before=
without() {{ [ -e "$1" ] && jq "del($2)" "$1" > "$1.new" && mv "$1.new" "$1"; }}
for word in "$@"; do
  case "$before" in
    --bundle|-b) without "$word/config.json" .process.rlimits ;;
    --process|-p) without "$word" .rlimits ;;
  esac
  before=$word
done
exec {runc} "$@"
"""
_STORAGE: Final = '[storage]\ndriver = "{driver}"\ngraphroot = "{folder}/store"\nrunroot = "{folder}/run"\n'
_CONTAINERS: Final = """[containers]
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "{folder}/runc"
"""


class EngineMissingError(Exception):
    """Images cannot be built here; the text says what to do."""


def cache_folder() -> Path:
    """Returns where images, layers and their base are kept between runs."""
    home = environment().get("XDG_CACHE_HOME") or "~/.cache"
    return Path(home).expanduser() / "comptoir" / "images"


def install() -> None:
    """Installs what is missing of Debian's packages; EngineMissingError where this is not root's to do."""
    missing = sorted({package for name, package in PROGRAMS.items() if not _where(name)})
    if not missing:
        return
    command = ["apt-get", "install", "--yes", "--no-install-recommends", *missing]
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise EngineMissingError(
            f"Images are built and run by root, with packages of Debian: {' '.join(command)}"
        )
    sys.stderr.write(f"install: {', '.join(missing)} of Debian's packages\n")
    _apt("update", "-qq")
    _apt(*command[1:])


def variables() -> dict[str, str]:
    """Returns what buildah and podman are told by, with the files that it names."""
    folder = cache_folder()
    (folder / "tmp" / "buildah-cache").mkdir(parents=True, exist_ok=True)
    runc = folder / "runc"
    runc.write_text(_RUNC.format(runc=_where("runc")))
    runc.chmod(0o755)
    (folder / "storage.conf").write_text(_STORAGE.format(folder=folder, driver="overlay"))
    (folder / "containers.conf").write_text(_CONTAINERS.format(folder=folder))
    _share_wheels(folder / "tmp" / "buildah-cache" / "comptoir-uv")
    return {
        "BUILDAH_ISOLATION": "chroot",
        "CONTAINERS_CONF": str(folder / "containers.conf"),
        "CONTAINERS_STORAGE_CONF": str(folder / "storage.conf"),
        "TMPDIR": str(folder / "tmp"),
    }


def _share_wheels(place: Path) -> None:
    """Lets builds have the wheels that are on this machine already."""
    said = subprocess.run(
        (_BINARIES.parents[1] / ".tools" / "bin" / "uv", "cache", "dir"),
        capture_output=True,
        text=True,
        check=True,
    )
    target = Path(said.stdout.strip())
    target.mkdir(parents=True, exist_ok=True)
    if not place.is_symlink():
        place.symlink_to(target)


def _where(name: str) -> str | None:
    return shutil.which(name, path=f"{environment().get('PATH', '')}:/usr/sbin:/sbin")


def _apt(*arguments: str) -> None:
    done = subprocess.run(
        ("apt-get", *arguments),  # noqa: S607 - the one on the PATH
        env={**environment(), "DEBIAN_FRONTEND": "noninteractive"},
        capture_output=True,
        text=True,
        timeout=_APT_SECONDS,
        check=False,
    )
    if done.returncode != 0:
        raise EngineMissingError(f"apt-get {arguments[0]} failed: {done.stderr.strip()[-500:]}")


def main() -> None:
    """Installs, and prints the variables for a shell."""
    install()
    for key, value in variables().items():
        sys.stdout.write(f"export {key}={value}\n")


if __name__ == "__main__":
    main()
