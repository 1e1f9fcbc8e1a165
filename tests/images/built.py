"""The images that the tests run, built once for each state of what goes into them.

`python -m tests.images.built` shows how far it is: minutes, where the machine has no layer of them yet; names
of targets behind it are built alone.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Final

from deploy.images import base, build
from services.runtime import file_lock
from services.runtime.settings import environment
from tests.images import engine

TARGETS: Final = tuple(target for target in build.TARGETS if target not in build.HEAVY)
# Too large to be built for every run: it is built where it is asked for.
LARGE: Final = "generator-cpu"
# What the Dockerfile copies, and what decides how.
_INPUTS: Final = ("LICENSE", "README.md", "pyproject.toml", ".dockerignore", "requirements")
_FOLDERS: Final = ("deploy", "pipelines", "protos", "services")
_LEFT_OUT: Final = ("deploy/helm/", "deploy/models/")
_KEPT_SECONDS: Final = 3 * 86_400
_WAIT_SECONDS: Final = 5_400
_COMMAND_SECONDS: Final = 600
# Longer than a build takes, whose scratch this is too.
_SCRATCH_KEPT_SECONDS: Final = 2 * 3_600


def tag() -> str:
    """Returns a digest of all that goes into images: two trees of the same files share them."""
    said = _said("git", "-C", str(build.REPOSITORY), "ls-files", "-co", "--exclude-standard")
    digest = hashlib.sha256()
    for name in sorted(said.splitlines()):
        if name.startswith((*_INPUTS, *(f"{it}/" for it in _FOLDERS))) and not name.startswith(_LEFT_OUT):
            path = build.REPOSITORY / name
            if path.is_file():
                digest.update(f"{name}\0{path.stat().st_mode & 0o111}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def names(targets: Sequence[str] = TARGETS) -> dict[str, str]:
    """Returns the images by target; builds what is missing, while others that want them wait."""
    engine.install()
    variables = engine.variables()
    state = tag()
    images = {target: build.image(target, tag=state) for target in targets}
    descriptor = file_lock.acquire(engine.cache_folder() / "lock", wait_seconds=_WAIT_SECONDS)
    try:
        missing = [target for target in targets if not _has(images[target], variables)]
        if missing:
            _drop_old(variables)
            base.make_base(variables)
        for target in missing:
            began = time.monotonic()
            _build(target, images[target], variables)
            sys.stderr.write(f"images: {target} after {time.monotonic() - began:.0f} s\n")
        (engine.cache_folder() / f"used-{state}").touch()
    finally:
        os.close(descriptor)
    return images


def _build(target: str, name: str, variables: dict[str, str]) -> None:
    log = engine.cache_folder() / f"{target}.log"
    with log.open("w") as file:
        try:
            build.build(target, name, authorities=engine.AUTHORITIES, variables=variables, log=file)
        except subprocess.CalledProcessError as failure:
            end = log.read_text(errors="replace")[-2_000:]
            raise engine.EngineMissingError(f"{name} was not built: {failure}\n{end}") from None


def _drop_old(variables: dict[str, str]) -> None:
    """Gives back the room of images that no tree has asked for in days."""
    now = time.time()  # noqa: TID251 - files have the wall clock's times
    stale = [it for it in engine.cache_folder().glob("used-*") if it.stat().st_mtime < now - _KEPT_SECONDS]
    for file in stale:
        state = file.name.removeprefix("used-")
        for target in (*TARGETS, LARGE):
            _run_quietly(variables, "buildah", "rmi", build.image(target, tag=state))
        file.unlink()
    # Of builds that were killed: gigabytes, which nobody else takes away.
    for left in (engine.cache_folder() / "tmp").iterdir():
        is_scratch = left.name.startswith(("buildah", "storage")) and left.name[-1].isdigit()
        if is_scratch and left.stat().st_mtime < now - _SCRATCH_KEPT_SECONDS:
            shutil.rmtree(left)
    if stale:
        _run_quietly(variables, "buildah", "rmi", "--prune")


def _has(name: str, variables: dict[str, str]) -> bool:
    return _run_quietly(variables, "buildah", "inspect", "--type", "image", name) == 0


def _run_quietly(variables: dict[str, str], *command: str) -> int:
    return subprocess.run(
        command,
        env={**environment(), **variables},
        capture_output=True,
        timeout=_COMMAND_SECONDS,
        check=False,
    ).returncode


def _said(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=_COMMAND_SECONDS, check=True)
    return done.stdout


def main() -> None:
    """Builds what is asked for, by default all but the large one, and says what it is called."""
    for name in names(sys.argv[1:] or TARGETS).values():
        sys.stdout.write(f"{name}\n")


if __name__ == "__main__":
    main()
