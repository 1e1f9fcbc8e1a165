"""Programs of Debian's packages, unpacked into a cache without root: what tests run and no wheel brings.

`python -m tests.debian_programs` fetches all of them; a test fetches the one that it needs and finds missing.
"""

import fcntl
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from services.runtime.settings import environment

# By the program, the package that has it.
PACKAGES: Final[Mapping[str, str]] = {
    "prometheus": "prometheus",
    "promtool": "prometheus",
    "prometheus-alertmanager": "prometheus-alertmanager",
    "amtool": "prometheus-alertmanager",
    "age": "age",
    "age-keygen": "age",
}
# By the program, the folder of its package that it looks for where the package puts it, and nowhere else.
_FIXED: Final[Mapping[str, str]] = {"prometheus-alertmanager": "usr/share/prometheus/alertmanager"}
_APT_SECONDS: Final = 240


class ProgramMissingError(Exception):
    """A program is neither in the cache nor to be fetched nor on the PATH."""


def program(name: str) -> Path:
    """Returns where the program is; fetches its package if need be. ProgramMissingError says what to do."""
    root = _cache() / PACKAGES[name] / "root"
    unpacked = root / "usr" / "bin" / name
    with _alone():
        if not unpacked.is_file():
            why = _fetch(PACKAGES[name])
            if why:
                return _on_the_path(name, why)
        if name in _FIXED:
            _show(root, _FIXED[name])
    return unpacked


def _show(root: Path, folder: str) -> None:
    """Makes a folder of the package stand where the program looks for it, which takes root once."""
    place = Path("/") / folder
    try:
        # It may be a link into the cache of another user, who lets nobody look.
        if place.exists():
            return
        place.unlink(missing_ok=True)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(root / folder)
    except PermissionError:
        command = f"mkdir -p {place.parent} && ln -sfn {root / folder} {place}"
        raise ProgramMissingError(f"{place} is needed. As root, once: {command}") from None
    sys.stderr.write(f"install: {place}, a link into the cache\n")


def _cache() -> Path:
    variables = environment()
    home = variables.get("XDG_CACHE_HOME") or str(Path(variables.get("HOME", "/nonexistent")) / ".cache")
    return Path(home) / "comptoir" / "debian"


@contextmanager
def _alone() -> Iterator[None]:
    """Holds back other processes that would fetch at the same time."""
    _cache().mkdir(parents=True, exist_ok=True)
    with (_cache() / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _fetch(package: str) -> str:
    """Unpacks the package into the cache; returns why it cannot, or nothing."""
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        return "this machine has no apt-get and dpkg-deb"
    with tempfile.TemporaryDirectory(dir=_cache()) as folder:
        scratch = Path(folder)
        # The machine's lists first. They may be missing or old, and only root may renew them: then own ones.
        said = _apt(["download", package], scratch)
        if not list(scratch.glob("*.deb")):
            lists = _own_lists(scratch)
            said = _apt([*lists, "update", "-qq"], scratch) + _apt([*lists, "download", package], scratch)
        found = list(scratch.glob("*.deb"))
        if not found:
            return f"apt-get does not bring the package {package}: {said.strip()[-300:]}"
        root = scratch / "root"
        subprocess.run(["dpkg-deb", "-x", str(found[0]), str(root)], check=True)  # noqa: S607
        place = _cache() / package
        place.mkdir(exist_ok=True)
        (place / "VERSION").write_text(found[0].stem + "\n")
        root.rename(place / "root")
        sys.stderr.write(f"install: {found[0].stem} into the cache" + "\n")
    return ""


def _own_lists(scratch: Path) -> Sequence[str]:
    folders = {"Dir::State::Lists": scratch / "lists", "Dir::Cache": scratch / "cache"}
    for folder in (scratch / "lists" / "partial", scratch / "cache" / "archives" / "partial"):
        folder.mkdir(parents=True)
    options = [f"{key}={folder}" for key, folder in folders.items()]
    return [word for option in (*options, "Debug::NoLocking=1") for word in ("-o", option)]


def _apt(arguments: Sequence[str], folder: Path) -> str:
    try:
        done = _run_apt(arguments, folder)
    except subprocess.TimeoutExpired:
        return f"apt-get did not end within {_APT_SECONDS} s"
    return done.stderr


def _run_apt(arguments: Sequence[str], folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["apt-get", "-o", "APT::Sandbox::User=", *arguments],  # noqa: S607 - the one on the PATH
        cwd=folder,
        env={**environment(), "LC_ALL": "C"},
        capture_output=True,
        text=True,
        timeout=_APT_SECONDS,
        check=False,
    )


def _on_the_path(name: str, why: str) -> Path:
    found = shutil.which(name)
    if found is None:
        raise ProgramMissingError(
            f"{name} is needed and {why}. "
            f"Install Debian's package {PACKAGES[name]}, or put {name} on the PATH."
        )
    sys.stderr.write(f"WARNING: {why}; the tests use {found}, whose version nobody chose." + "\n")
    return Path(found)


def main() -> None:
    """Fetches every program; where one cannot be had, says so and leaves it to the test that needs it."""
    for name in PACKAGES:
        try:
            program(name)
        except ProgramMissingError as error:
            sys.stderr.write(f"WARNING: {error}\n")


if __name__ == "__main__":
    main()
