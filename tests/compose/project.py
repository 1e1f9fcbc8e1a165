"""`deploy/compose.yaml` as Docker Compose reads it: by its own library, built once on a machine."""

import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, TypeAlias

from services.runtime.settings import environment
from tests import go_program

Service: TypeAlias = dict[str, Any]

REPOSITORY: Final = Path(__file__).resolve().parents[2]
FILE: Final = REPOSITORY / "deploy" / "compose.yaml"
PROFILES: Final = ("gpu", "server", "tools")
_LOADER: Final = Path(__file__).parent / "loader"
_SECONDS: Final = 900


class NoProjectError(Exception):
    """The file is not valid; the text is what Compose says."""


def load(
    *profiles: str, file: Path = FILE, over: Sequence[Path] = (), variables: dict[str, str] | None = None
) -> dict[str, Any]:
    """Returns the project with these profiles, other files laid over the first.

    NoProjectError where Compose would refuse them.
    """
    files = os.pathsep.join(map(str, (file, *over)))
    command = (str(go_program.built("compose-loader", _LOADER)), files, *profiles)
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
