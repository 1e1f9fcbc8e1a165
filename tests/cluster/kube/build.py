"""Builds a small Kubernetes from its Go modules, once on a machine: API server, controllers, scheduler.

`python -m tests.cluster.kube.build` shows how far it is: about 13 minutes of processor time, once.
"""

import hashlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

from services.runtime import file_lock
from services.runtime.settings import environment

HERE: Final = Path(__file__).parent
BINARIES: Final = Path(sys.executable).parent
KUBERNETES: Final = "1.37.2"
PROGRAMS: Final = {
    "etcd": "go.etcd.io/etcd/server/v3",
    "kwok": "sigs.k8s.io/kwok/cmd/kwok",
    "kube-scheduler": "k8s.io/kubernetes/cmd/kube-scheduler",
    "kube-controller-manager": "k8s.io/kubernetes/cmd/kube-controller-manager",
    "kube-apiserver": "k8s.io/kubernetes/cmd/kube-apiserver",
}
_STAGES: Final = ("node/fast/node-*.yaml", "node/heartbeat-with-lease/node-*.yaml", "pod/fast/pod-*.yaml")
_NICE: Final = 10
_WAIT_SECONDS: Final = 5_400
_BUILD_SECONDS: Final = 5_400

Say = Callable[[str], None]


class BuildError(Exception):
    """A part could not be built; the text is the last that the compiler said."""


def cache_folder() -> Path:
    """Returns where the programs of exactly these versions are, or will be."""
    home = environment().get("XDG_CACHE_HOME") or "~/.cache"
    names = ("go.mod", "go.sum")
    content = b"".join((HERE / name).read_bytes() for name in names) + _go("version").encode()
    return Path(home).expanduser() / "comptoir" / "kube" / hashlib.sha256(content).hexdigest()[:16]


def built(say: Say) -> Path:
    """Returns the folder with the programs in `bin`, and `stages.yaml`; builds what is missing.

    Of several that call it at once, one builds each program and the others wait for it.
    """
    folder = cache_folder()
    (folder / "bin").mkdir(parents=True, exist_ok=True)
    for name in PROGRAMS:
        _once(folder, folder / "bin" / name, partial(_build, name, say))
    _once(folder, folder / "stages.yaml", _write_stages)
    return folder


def _once(folder: Path, path: Path, make: Callable[[Path], None]) -> None:
    """Makes `path` beside its place and moves it there whole, whoever else wants it too."""
    if path.exists():
        return
    descriptor = file_lock.acquire(folder / f"{path.name}.lock", wait_seconds=_WAIT_SECONDS)
    try:
        if path.exists():
            return
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            make(Path(scratch) / path.name)
            (Path(scratch) / path.name).replace(path)
    finally:
        os.close(descriptor)


def _build(name: str, say: Say, path: Path) -> None:
    say(f"kube: building {name}, once on this machine")
    began = time.monotonic()
    version = "k8s.io/component-base/version"
    major, minor, _ = KUBERNETES.split(".")
    stamps = (
        f"{version}.gitVersion=v{KUBERNETES}",
        f"{version}.gitMajor={major}",
        f"{version}.gitMinor={minor}",
    )
    flags = " ".join(("-s", "-w", *(f"-X {stamp}" for stamp in stamps)))
    _go("build", "-mod=readonly", "-trimpath", "-ldflags", flags, "-o", str(path), PROGRAMS[name])
    say(f"kube: {name} after {time.monotonic() - began:.0f} s")


def _write_stages(path: Path) -> None:
    """What kwok needs to be told: nodes become ready, pods run and end, at once."""
    module = Path(_go("list", "-mod=readonly", "-m", "-f", "{{.Dir}}", "sigs.k8s.io/kwok").strip())
    stages = module / "kustomize" / "stage"
    files = [file for pattern in _STAGES for file in sorted(stages.glob(pattern))]
    path.write_text("\n---\n".join(file.read_text(encoding="utf-8") for file in files), encoding="utf-8")


def _go(*arguments: str, cwd: Path = HERE) -> str:
    """Runs the locked Go without changing what is committed; BuildError with the end of what it said."""
    variables = {**environment(), "GOTOOLCHAIN": "local", "CGO_ENABLED": "0", "GOFLAGS": ""}
    variables["PATH"] = os.pathsep.join((str(BINARIES), environment()["PATH"]))
    done = subprocess.run(
        ("nice", "-n", str(_NICE), str(BINARIES / "go"), *arguments),  # noqa: S607 - the one on the PATH
        cwd=cwd,
        env=variables,
        capture_output=True,
        text=True,
        timeout=_BUILD_SECONDS,
        check=False,
    )
    if done.returncode != 0:
        raise BuildError(f"go {arguments[0]} failed: {done.stderr.strip()[-1500:]}")
    return done.stdout


def main() -> None:
    """Builds everything and says where it is."""
    print(built(lambda line: print(line, flush=True)))


if __name__ == "__main__":
    main()
