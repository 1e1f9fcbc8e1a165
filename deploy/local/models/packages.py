"""Fetches wheels from the package index that uv or pip is configured for, each checked by its sum."""

import importlib.util
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from deploy.local.stack.errors import StackError
from deploy.local.stack.options import REPOSITORY
from services.runtime.settings import environment

_FETCH_SECONDS: Final = 1_800
_MOST_WORDS: Final = 300


@dataclass(frozen=True, slots=True)
class Wheel:
    """A wheel by name, version and sum."""

    name: str
    version: str
    sha256: str

    @property
    def requirement(self) -> str:
        """The line of a file of requirements."""
        return f"{self.name}=={self.version} --hash=sha256:{self.sha256}"


def fetch_wheels(wheels: Sequence[Wheel], target: Path, lock: int) -> None:
    """Puts what is in the wheels below `target`; what they ask for besides is not fetched.

    Both programs show how far they are where a person looks, and keep what they have fetched in their caches.
    The descriptor `lock` stays open in the program, so that it is held while that lives.
    """
    listed = target.with_name(f"{target.name}.txt")
    listed.write_text("".join(f"{wheel.requirement}\n" for wheel in wheels), encoding="ascii")
    command = [*_program(), "--no-deps", "--require-hashes", "--only-binary", ":all:"]
    command += ["--target", str(target), "--requirement", str(listed)]
    run(command, "The packages cannot be fetched", dict(environment()), lock)


def run(command: Sequence[str], what_failed: str, variables: dict[str, str], lock: int) -> None:
    """Runs a program, whose progress a person sees; StackError with its last words where it fails."""
    try:
        done = subprocess.run(  # noqa: S603 - uv, pip, or a module of ours
            command,
            stdout=subprocess.DEVNULL,
            # On a terminal it draws; its words are on the screen then.
            stderr=None if sys.stderr.isatty() else subprocess.PIPE,
            check=False,
            timeout=_FETCH_SECONDS,
            env=variables,
            pass_fds=(lock,),
        )
    except subprocess.TimeoutExpired:
        raise StackError(f"{what_failed} within {_FETCH_SECONDS // 60} minutes; try again.") from None
    if done.returncode != 0:
        said = (done.stderr or b"").decode("utf-8", "replace").split()
        words = " ".join(said)[-_MOST_WORDS:] or f"it ended with status {done.returncode}"
        raise StackError(f"{what_failed}: {words}")


def _program() -> list[str]:
    """Returns how uv or pip installs into a folder, for this Python."""
    own = REPOSITORY / ".tools" / "bin" / "uv"
    uv = str(own) if own.is_file() else shutil.which("uv")
    if uv is not None:
        return [uv, "pip", "install", "--python", sys.executable]
    if importlib.util.find_spec("pip") is not None:
        return [sys.executable, "-m", "pip", "install"]
    raise StackError("Neither uv nor pip is there to fetch packages; install one of them.")
