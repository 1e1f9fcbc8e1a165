"""Builds the images with buildah, SBOM and licences of each beside: `python -m deploy.images.build`."""

import argparse
import subprocess
import sys
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Final

from deploy.images.base import BASE, make_base
from services.runtime.settings import environment

REPOSITORY: Final = Path(__file__).resolve().parents[2]
DOCKERFILE: Final = REPOSITORY / "deploy" / "images" / "Dockerfile"
CUDA: Final = "generator-cuda"
# With vLLM: libraries of 5 GB and more each, so that they are built where they are asked for.
HEAVY: Final = ("generator-cpu", CUDA)
TARGETS: Final = (
    *("edge", "router", "emitter", "usage", "console", "cli"),
    *("generator-simulated", "generator-openai-server", *HEAVY),
)
DOCUMENTS: Final = "/usr/share/doc/comptoir"
_SECONDS: Final = 3_600


def version() -> str:
    """Returns the version that the images bear."""
    with (REPOSITORY / "pyproject.toml").open("rb") as file:
        return str(tomllib.load(file)["project"]["version"])


def revision() -> str:
    """Returns the commit, and whether what is built is more than it."""
    return _git("rev-parse", "HEAD") + ("-modified" if _git("status", "--porcelain") else "")


def image(target: str, *, prefix: str = "localhost", tag: str = "") -> str:
    """Returns the name of an image, as the chart calls it below its registry."""
    return f"{prefix}/comptoir-{target}:{tag or version()}"


def build(  # noqa: PLR0913 - each is an option of buildah
    target: str,
    name: str,
    *,
    base: str = BASE,
    authorities: Path | None = None,
    variables: Mapping[str, str] | None = None,
    log: IO[str] | None = None,
    is_from_scratch: bool = False,
) -> None:
    """Builds one target and gives it a name, without the layers at hand where it is from scratch.

    Raises CalledProcessError where that fails.
    """
    labels = {"BASE": base, "VERSION": version(), "REVISION": revision()}
    # Without an hour in it, the same source is the same image, whenever its layers were made. Docker's format
    # has health checks, which OCI's has not.
    command: list[str | Path] = ["buildah", "bud", "--layers", "--format", "docker", "--timestamp", "0"]
    command += ["--identity-label=false"]
    command += ["--ignorefile", REPOSITORY / ".dockerignore", "--file", DOCKERFILE]
    command += [f"--build-arg={key}={value}" for key, value in labels.items()]
    if is_from_scratch:
        command.append("--no-cache")
    if authorities is not None:
        command.append(f"--secret=id=authorities,src={authorities}")
    _run([*command, "--target", target, "--tag", name, REPOSITORY], variables, log=log)


def lay_beside(name: str, folder: Path, variables: Mapping[str, str] | None = None) -> None:
    """Copies SBOM and licences of an image into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    container = _run(["buildah", "from", "--pull-never", name], variables, is_read=True)
    try:
        mounted = Path(_run(["buildah", "mount", container], variables, is_read=True))
        for document in sorted((mounted / DOCUMENTS.lstrip("/")).iterdir()):
            title = name.rpartition("/")[2].partition(":")[0]
            (folder / f"{title}.{document.name}").write_bytes(document.read_bytes())
    finally:
        _run(["buildah", "rm", container], variables, is_read=True)


def _git(*arguments: str) -> str:
    return _run(["git", "-C", REPOSITORY, *arguments], None, is_read=True)


def _run(
    command: Sequence[str | Path],
    variables: Mapping[str, str] | None,
    *,
    is_read: bool = False,
    log: IO[str] | None = None,
) -> str:
    done = subprocess.run(  # noqa: S603 - of the PATH, as the user set it up
        command,
        check=True,
        env={**environment(), **(variables or {})},
        stdout=subprocess.PIPE if is_read else log,
        stderr=log,
        text=True,
        timeout=_SECONDS,
    )
    return (done.stdout or "").strip()


def main(arguments: Sequence[str] | None = None) -> None:
    """Builds what is asked for, by default every image but those with vLLM."""
    parser = argparse.ArgumentParser(description="Builds the images of Comptoir with buildah.")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"of {', '.join(TARGETS)}")
    parser.add_argument("--base", default="", help="Debian 12 as NAME@sha256:…; by default made here")
    parser.add_argument("--prefix", default="localhost", help="what stands before the names of images")
    parser.add_argument("--tag", default="", help="by default the version")
    parser.add_argument("--authorities", type=Path, help="PEM file of who signed your package index")
    options = parser.parse_args(arguments)
    unknown = set(options.targets) - set(TARGETS)
    if unknown:
        parser.error(f"no target is called {', '.join(sorted(unknown))}; there are {', '.join(TARGETS)}")
    if not options.base:
        make_base()
    for target in options.targets or [it for it in TARGETS if it not in HEAVY]:
        name = image(target, prefix=options.prefix, tag=options.tag)
        build(target, name, base=options.base or BASE, authorities=options.authorities)
        lay_beside(name, REPOSITORY / "dist" / "images")
        sys.stderr.write(f"images: {name}; SBOM and licences in dist/images\n")


if __name__ == "__main__":
    main()
