"""`make release`: keeps what this tree ships, so that tests of later trees upgrade from it.

A release is the two wheels and the packaged chart, as files: no history and no tag is asked for them.
"""

import hashlib
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import yaml

from services.runtime.settings import environment
from tests.cluster.chart import REPOSITORY, Helm
from tests.cluster.wheel_programs import unpacked

RELEASES: Final = Path(__file__).with_name("releases")
SUMS: Final = "SHA256SUMS"
_SECONDS: Final = 300


class ReleaseError(Exception):
    """The tree cannot be a release; the text says what to do first."""


def version_of(tree: Path) -> str:
    """Returns the version that wheels and chart of a tree have; ReleaseError where they differ."""
    project = tomllib.loads((tree / "pyproject.toml").read_text())["project"]
    version = str(project["version"])
    client = str(tomllib.loads((tree / "protos/pyproject.toml").read_text())["project"]["version"])
    found = {"protos/pyproject.toml": client}
    chart = tree / "deploy/helm/comptoir/Chart.yaml"
    if chart.exists():
        declared = yaml.safe_load(chart.read_text())
        found |= {"the chart's version": declared["version"], "its appVersion": declared["appVersion"]}
    wrong = [name for name, other in found.items() if other != version]
    if f"comptoir-client=={version}" not in project["dependencies"]:
        wrong.append("the dependency comptoir-client")
    if wrong:
        raise ReleaseError(f"pyproject.toml has version {version}, and another one: {', '.join(wrong)}.")
    return version


def ship(tree: Path, folder: Path) -> None:
    """Writes wheels, chart and their digests into a folder that is not there yet."""
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        whole = Path(scratch) / folder.name
        whole.mkdir()
        for project in (tree, tree / "protos"):
            _run(
                tree, sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(whole), cwd=project
            )
        if (tree / "deploy/helm").exists():
            Helm(unpacked() / "helm", Path(scratch)).run(
                "package", tree / "deploy/helm/comptoir", "--destination", whole
            )
        for example in sorted((tree / "deploy/helm/examples").glob("*.yaml")):
            shutil.copy(example, whole / f"values-{example.name}")
        lines = [f"{digest(path)}  {path.name}\n" for path in sorted(whole.iterdir())]
        (whole / SUMS).write_text("".join(lines))
        whole.replace(folder)


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def check(tree: Path, version: str) -> None:
    """Raises ReleaseError unless the tree is committed and its changelog has the version."""
    if _run(tree, "git", "status", "--porcelain", cwd=tree):
        raise ReleaseError("commit first: a release is what a commit holds.")
    if f"## [{version}] - " not in (tree / "CHANGELOG.md").read_text():
        raise ReleaseError(f"CHANGELOG.md has no section [{version}] with its date.")
    if (RELEASES / version).exists():
        raise ReleaseError(f"{version} is kept already, and a release is never made anew: raise the version.")


def _run(tree: Path, *command: str, cwd: Path) -> str:
    # Two builds of one commit are the same bytes.
    made = _output("git", "log", "-1", "--format=%ct", cwd=tree, variables=environment()).strip()
    return _output(*command, cwd=cwd, variables={**environment(), "SOURCE_DATE_EPOCH": made})


def _output(*command: str, cwd: Path, variables: Mapping[str, str]) -> str:
    name = Path(command[0]).name
    try:
        done = subprocess.run(
            command, cwd=cwd, env=variables, capture_output=True, text=True, timeout=_SECONDS, check=False
        )
    except FileNotFoundError:
        raise ReleaseError(f"{name} is not installed, and a release is built by it.") from None
    except subprocess.TimeoutExpired:
        raise ReleaseError(f"{name} did not end within {_SECONDS:g} seconds.") from None
    if done.returncode == 0:
        return done.stdout
    if name == "git" and not (cwd / ".git").exists():
        raise ReleaseError(f"{cwd.name} is no clone of git: a release is what a commit holds; clone it.")
    raise ReleaseError(f"{name} failed: {done.stderr[-1000:]}")


def main() -> None:
    try:
        version = version_of(REPOSITORY)
        check(REPOSITORY, version)
        ship(REPOSITORY, RELEASES / version)
    except ReleaseError as error:
        sys.exit(f"make release: {error}")
    sys.stderr.write(f"tests/upgrade/releases/{version} is kept. Commit it, and raise the version.\n")


if __name__ == "__main__":
    main()
