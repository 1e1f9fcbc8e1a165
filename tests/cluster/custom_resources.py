"""Definitions of the custom resources of others, from the Go modules that they are published in."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import jsonschema
import yaml

from services.runtime import file_lock
from services.runtime.settings import environment

# A module that requires them by version and sum, and is never built.
HERE: Final = Path(__file__).parent / "definitions"
FILES: Final = {
    "github.com/kedacore/keda/v2": "config/crd/bases/keda.sh_*.yaml",
    "github.com/cert-manager/cert-manager": "deploy/crds/cert-manager.io_*.yaml",
    "github.com/prometheus-operator/prometheus-operator": (
        "example/prometheus-operator-crd/monitoring.coreos.com_podmonitors.yaml"
    ),
}
_GO: Final = Path(sys.executable).parent / "go"
_SECONDS: Final = 600


def definitions() -> Path:
    """Returns the folder with their files, downloaded once for each set of versions."""
    content = b"".join((HERE / name).read_bytes() for name in ("go.mod", "go.sum"))
    home = environment().get("XDG_CACHE_HOME") or "~/.cache"
    caches = Path(home).expanduser() / "comptoir" / "custom-resources"
    folder = caches / hashlib.sha256(content).hexdigest()[:16]
    caches.mkdir(parents=True, exist_ok=True)
    descriptor = file_lock.acquire(caches / "lock", wait_seconds=_SECONDS)
    try:
        if not folder.exists():
            with tempfile.TemporaryDirectory(dir=caches) as scratch:
                whole = Path(scratch) / "whole"
                _copy(whole)
                whole.replace(folder)
    finally:
        os.close(descriptor)
    return folder


def _copy(folder: Path) -> None:
    folder.mkdir()
    for module in json.loads(_go("mod", "edit", "-json"))["Require"]:
        found = json.loads(_go("mod", "download", "-json", f"{module['Path']}@{module['Version']}"))
        for file in sorted(Path(found["Dir"]).glob(FILES[module["Path"]])):
            shutil.copyfile(file, folder / file.name)


def _go(*arguments: str) -> str:
    path = os.pathsep.join((str(_GO.parent), environment()["PATH"]))
    done = subprocess.run(
        (str(_GO), *arguments),
        cwd=HERE,
        env={**environment(), "PATH": path, "GOTOOLCHAIN": "local", "GOFLAGS": "-mod=readonly"},
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


class CustomResources:
    """What each kind may hold, as the API server would hold an object against it: nothing unknown."""

    def __init__(self, folder: Path) -> None:
        self._schemas: dict[tuple[str, str], Any] = {}
        for file in folder.glob("*.yaml"):
            spec = yaml.safe_load(file.read_text(encoding="utf-8"))["spec"]
            for version in spec["versions"]:
                api = f"{spec['group']}/{version['name']}"
                self._schemas[api, spec["names"]["kind"]] = strict(version["schema"]["openAPIV3Schema"])

    def faults(self, document: dict[str, Any]) -> list[str]:
        """What is wrong with an object, by its place; KeyError for a kind that nobody defines."""
        schema = self._schemas[document["apiVersion"], document["kind"]]
        return list(_faults(schema, document))


def _faults(schema: Any, document: dict[str, Any]) -> Iterator[str]:
    for error in jsonschema.Draft202012Validator(schema).iter_errors(document):
        yield f"{'.'.join(map(str, error.path))}: {error.message}"


def strict(schema: Any) -> Any:
    """Returns a structural schema of Kubernetes as a JSON Schema that refuses what it does not name."""
    if isinstance(schema, list):
        return [strict(it) for it in schema]
    if not isinstance(schema, dict):
        return schema
    found = {key: strict(value) for key, value in schema.items() if key not in {"format", "nullable"}}
    if schema.get("x-kubernetes-int-or-string"):
        found["type"] = ["integer", "string"]
    is_open = schema.get("x-kubernetes-preserve-unknown-fields") or "additionalProperties" in schema
    named = schema.get("properties")
    if schema.get("type") == "object" and isinstance(named, dict) and not is_open:
        # Of `metadata` a definition says nothing but that it is an object.
        found["additionalProperties"] = False
    return found
