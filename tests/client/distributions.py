"""The two distributions as wheels, and an environment into which a service installed only the client."""

import functools
import shutil
import subprocess
import sys
import tomllib
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]
PROJECTS = {"comptoir": REPOSITORY, "comptoir-client": REPOSITORY / "protos"}
SECONDS = 120
# What `grpcio` and `protobuf` are made of, and what they need themselves.
DEPENDENCIES = ("grpc", "grpcio-*.dist-info", "protobuf-[0-9]*.dist-info", "typing_extensions*")


@functools.cache
def project(name: str) -> dict[str, Any]:
    """What a distribution says of itself."""
    table: dict[str, Any] = tomllib.loads((PROJECTS[name] / "pyproject.toml").read_text())["project"]
    return table


def run(*command: str | Path, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    """What a command said, whatever its status."""
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=SECONDS, check=False)


def files_of(wheel: Path) -> set[str]:
    """The files that a wheel installs, without those about itself."""
    with zipfile.ZipFile(wheel) as archive:
        return {name for name in archive.namelist() if ".dist-info/" not in name}


@dataclass(frozen=True)
class Installed:
    """An environment of its own, with the client and what it needs, and nothing else."""

    folder: Path

    @property
    def python(self) -> Path:
        return self.folder / "bin" / "python"

    def runs(self, program: str) -> str:
        """What a program prints there, away from this repository."""
        done = run(self.python, "-I", "-c", program, folder=self.folder)
        assert done.returncode == 0, done.stderr
        return done.stdout


def built_wheels(folder: Path) -> dict[str, Path]:
    """Each distribution's wheel by its name, built from this tree."""
    for name, source in PROJECTS.items():
        built = run(
            sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder / name, folder=source
        )
        assert built.returncode == 0, built.stderr
    return {name: next((folder / name).glob("*.whl")) for name in PROJECTS}


def service_with(wheel: Path, folder: Path) -> Installed:
    """A service's environment with `wheel`; `grpcio` and `protobuf` are those of these tests."""
    environment = Installed(folder)
    assert run(sys.executable, "-m", "venv", "--without-pip", folder).returncode == 0
    theirs = next(folder.glob("lib/python3*/site-packages"))
    ours = next(Path(sys.prefix).glob("lib/python3*/site-packages"))
    for pattern in DEPENDENCIES:
        for path in ours.glob(pattern):
            if path.suffix == ".dist-info":
                # uv sees no installation in a link.
                shutil.copytree(path, theirs / path.name)
            else:
                (theirs / path.name).symlink_to(path)
    (theirs / "google").mkdir()
    for name in ("protobuf", "_upb"):
        (theirs / "google" / name).symlink_to(ours / "google" / name)
    uv = REPOSITORY / ".tools" / "bin" / "uv"
    into = ("--python", environment.python)
    done = run(uv, "pip", "install", "--quiet", "--no-index", "--no-deps", *into, wheel)
    assert done.returncode == 0, done.stderr
    # Nothing that any of them asks for is missing.
    checked = run(uv, "pip", "check", *into)
    assert checked.returncode == 0, checked.stderr
    return environment
