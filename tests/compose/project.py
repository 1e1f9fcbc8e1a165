"""`deploy/compose.yaml` as Docker Compose reads it: by its own library, built once on a machine."""

import hashlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final, TypeAlias

from services.runtime import file_lock
from services.runtime.settings import environment

Service: TypeAlias = dict[str, Any]

REPOSITORY: Final = Path(__file__).resolve().parents[2]
FILE: Final = REPOSITORY / "deploy" / "compose.yaml"
PROFILES: Final = ("gpu", "tools")
_LOADER: Final = Path(__file__).parent / "loader"
_GO: Final = Path(sys.executable).parent / "go"
_SECONDS: Final = 900


class NoProjectError(Exception):
    """The file is not valid; the text is what Compose says."""


def load(*profiles: str, file: Path = FILE, variables: dict[str, str] | None = None) -> dict[str, Any]:
    """Returns the project with these profiles; NoProjectError where Compose would refuse the file."""
    command = (str(_built()), str(file), *profiles)
    given = {"PATH": environment()["PATH"], **(variables or {})}
    done = subprocess.run(
        command, env=given, capture_output=True, text=True, timeout=_SECONDS, check=False, cwd=file.parent
    )
    if done.returncode != 0:
        raise NoProjectError(done.stderr.strip())
    project: dict[str, Any] = json.loads(done.stdout)
    return project


def services(*profiles: str, **variables: str) -> dict[str, Service]:
    """Returns every service, by its name."""
    found: dict[str, Service] = load(*profiles, variables=variables)["services"]
    return found


def networks_of(service: Service) -> dict[str, list[str]]:
    """Returns a service's networks, each with the further names that it has there."""
    found: dict[str, Any] = service.get("networks") or {}
    return {name: (more or {}).get("aliases", []) for name, more in found.items()}


def _built() -> Path:
    home = environment().get("XDG_CACHE_HOME") or "~/.cache"
    sources = sorted(_LOADER.iterdir())
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()[:16]
    folder = Path(home).expanduser() / "comptoir" / "compose" / digest
    program = folder / "load"
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = file_lock.acquire(folder / "lock", wait_seconds=_SECONDS)
    try:
        if not program.exists():
            _build(program)
    finally:
        os.close(descriptor)
    return program


def _build(program: Path) -> None:
    with tempfile.TemporaryDirectory(dir=program.parent) as scratch:
        made = Path(scratch) / "load"
        subprocess.run(
            (str(_GO), "build", "-mod=readonly", "-trimpath", "-o", str(made), "."),
            cwd=_LOADER,
            env={**environment(), "GOTOOLCHAIN": "local", "CGO_ENABLED": "0", "GOFLAGS": ""},
            timeout=_SECONDS,
            check=True,
        )
        made.replace(program)
