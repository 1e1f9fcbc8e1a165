"""The chart as helm renders it, and what a pod of it would find: for tests without a cluster."""

import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

import yaml

from services.runtime.settings import environment

Document: TypeAlias = dict[str, Any]

REPOSITORY: Final = Path(__file__).resolve().parents[2]
CHART: Final = REPOSITORY / "deploy" / "helm" / "comptoir"
EXAMPLES: Final = REPOSITORY / "deploy" / "helm" / "examples"
SMALL: Final = EXAMPLES / "small.yaml"
PRODUCTION: Final = EXAMPLES / "production.yaml"
# Laid over one of the others.
SERVERS: Final = EXAMPLES / "servers.yaml"
NAMESPACE: Final = "comptoir"
_SECONDS: Final = 300
_WORKLOADS: Final = ("Deployment", "StatefulSet")


class RefusedError(Exception):
    """Helm refused; the text is what it said."""


@dataclass(frozen=True, slots=True)
class Helm:
    """The program, with folders of its own."""

    program: Path
    home: Path

    def run(self, *arguments: str | Path, **variables: str) -> str:
        """Runs a command and returns what it printed; RefusedError with what it said instead."""
        folders = {name: str(self.home) for name in ("HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME")}
        done = subprocess.run(
            (str(self.program), *map(str, arguments)),
            env={**environment(), **folders, **variables},
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
        if done.returncode != 0:
            raise RefusedError(done.stderr)
        return done.stdout

    def template(self, values: Path, *more: str) -> list[Document]:
        """Every document that an installation would apply."""
        said = self.run("template", "comptoir", CHART, "--namespace", NAMESPACE, "--values", values, *more)
        return [document for document in yaml.safe_load_all(said) if document]


def of_kind(documents: Sequence[Document], *kinds: str) -> list[Document]:
    return [document for document in documents if document["kind"] in kinds]


def named(documents: Sequence[Document], kind: str, name: str) -> Document:
    found = [document for document in of_kind(documents, kind) if document["metadata"]["name"] == name]
    assert len(found) == 1, f"{len(found)} of {kind} {name}"
    return found[0]


def workloads(documents: Sequence[Document]) -> list[Document]:
    return of_kind(documents, *_WORKLOADS)


def namespace_of(document: Document) -> str:
    return str(document["metadata"].get("namespace", NAMESPACE))


def pod_of(workload: Document) -> Document:
    spec: Document = workload["spec"]["template"]["spec"]
    return spec


def labels_of(workload: Document) -> dict[str, str]:
    labels: dict[str, str] = workload["spec"]["template"]["metadata"]["labels"]
    return labels


def container_of(workload: Document) -> Document:
    (container,) = pod_of(workload)["containers"]
    return dict(container)


def _put_in(value: str, variables: Mapping[str, str]) -> str:
    """As a kubelet does with variables that stand before."""
    for name, one in variables.items():
        value = value.replace(f"$({name})", one)
    return value


class PodFiles:
    """The files that a pod's container finds, below a folder, and the variables that it is given.

    Only what its volumes hold is there: a setting that names another file is found out.
    """

    def __init__(self, folder: Path, workload: Document, documents: Sequence[Document]) -> None:
        self.root = folder
        self._workload = workload
        self._documents = documents
        volumes = {volume["name"]: volume for volume in pod_of(workload)["volumes"]}
        volumes |= {
            claim["metadata"]["name"]: {"persistentVolumeClaim": {}}
            for claim in workload["spec"].get("volumeClaimTemplates", ())
        }
        for mount in container_of(workload)["volumeMounts"]:
            place = self.at(mount["mountPath"])
            place.mkdir(parents=True, exist_ok=True)
            for name, content in self._content(volumes[mount["name"]]):
                (place / name).write_text(content)

    def at(self, path: str) -> Path:
        return self.root / path.lstrip("/")

    def _content(self, volume: Document) -> Iterator[tuple[str, str]]:
        if "configMap" in volume and volume["name"] == "settings":
            settings = named(self._documents, "ConfigMap", volume["configMap"]["name"])["data"]
            for name, text in settings.items():
                yield name, self._moved(text)
        elif "secret" in volume:
            items = volume["secret"].get("items", [{"path": it} for it in ("tls.crt", "tls.key", "ca.crt")])
            for item in items:
                yield item["path"], "x"

    def _moved(self, text: str) -> str:
        for folder in ("/etc/comptoir", "/var/lib/comptoir"):
            text = text.replace(folder, str(self.at(folder)))
        return text

    def variables(self) -> Mapping[str, str]:
        """As the kubelet sets them for the first pod."""
        first = self._workload["spec"].get("ordinals", {}).get("start", 0)
        name = f"{self._workload['metadata']['name']}-{first}"
        fields = {"metadata.name": name, "metadata.labels['apps.kubernetes.io/pod-index']": str(first)}
        found: dict[str, str] = {}
        for variable in container_of(self._workload).get("env", ()):
            if "value" in variable:
                found[variable["name"]] = _put_in(variable["value"], {"POD_NAME": name, **found})
            else:
                found[variable["name"]] = fields[variable["valueFrom"]["fieldRef"]["fieldPath"]]
        return found
