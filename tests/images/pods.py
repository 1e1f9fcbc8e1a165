"""Containers of the images as the chart's pods would be: its settings, its names, and every restriction on.

They share a network of their own that has a loopback interface and no other, so that no packet leaves it.
"""

import secrets
import shutil
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from deploy.images.root import USER
from services.runtime.addresses import TlsFiles
from services.runtime.settings import environment
from tests.cluster.chart import REPOSITORY, Document, container_of, named, of_kind, pod_of, workloads
from tests.images import engine
from tests.services.runtime.certificates import Authority

# What Kubernetes adds to a container of namespace `restricted`, and an image must bear.
RESTRICTIONS: Final = (
    "--read-only",
    "--read-only-tmpfs=false",
    "--cap-drop=all",
    "--security-opt=no-new-privileges",
    f"--user={USER}:{USER}",
)
# Of the chart's names, all of which are this one machine.
_HOSTS: Final = ("kafka.kafka", "clickhouse.clickhouse")
_WAIT_SECONDS: Final = 600
_COMMAND_SECONDS: Final = 300
_MODEL: Final = REPOSITORY / "deploy" / "models"


class ContainerError(Exception):
    """A command of podman failed; the text is what it said."""


class Pods:
    """One pod of each process of a chart's release, by the name of its workload."""

    def __init__(self, folder: Path, documents: Sequence[Document], images: dict[str, str]) -> None:
        self._folder, self._documents, self.images = folder, documents, images
        self._variables = engine.variables()
        self._network = f"comptoir-{secrets.token_hex(4)}"
        self.authority = Authority(folder / "authority")
        self._certificates = {
            document["spec"]["secretName"]: self._certificate(document["spec"])
            for document in of_kind(documents, "Certificate")
        }
        self._secrets = _new_secrets()
        self._started: list[str] = []

    def __enter__(self) -> Self:
        for command in (
            ("ip", "netns", "add", self._network),
            ("ip", "-n", self._network, "link", "set", "lo", "up"),
        ):
            _run(command, self._variables)
        return self

    def __exit__(self, *_: object) -> None:
        try:
            for name in self._started:
                self._remove(self.container(name))
        finally:
            _run(("ip", "netns", "delete", self._network), self._variables)

    def _remove(self, container: str) -> None:
        # podman 4.3 fails where one ends while it is being killed, and then there is nothing left to kill.
        if self._podman("rm", "--force", "--time", "5", container).returncode != 0:
            self.podman("rm", "--force", container)

    def container(self, name: str) -> str:
        """The name of a workload's container."""
        return f"{self._network}-{name}"

    def start(self, name: str) -> None:
        """Starts the pod of a workload, as its template says."""
        workload = self._workload(name)
        container = container_of(workload)
        memory = self.memory_limit(name)
        options = [
            *RESTRICTIONS,
            f"--memory={memory}",
            f"--memory-swap={memory}",
            f"--network=ns:/run/netns/{self._network}",
            f"--hostname={name}",
            *self._hosts(),
            *self._mounts(workload),
            *(f"--env={key}={value}" for key, value in self._environment(workload).items()),
        ]
        target = container["image"].rpartition("/")[2].partition(":")[0].removeprefix("comptoir-")
        if target not in self.images:
            # vLLM's is the same but for gigabytes of libraries.
            target = target.replace("generator-cpu", "generator-simulated")
        # Before it runs: what started half has to be taken away too.
        self._started.append(name)
        self.podman("run", "--detach", "--name", self.container(name), *options, self.images[target])

    def memory_limit(self, name: str) -> str:
        """The memory that the chart gives a workload, as podman and a mount write it."""
        return _bytes(container_of(self._workload(name))["resources"]["limits"]["memory"])

    def run_cli(self, *arguments: str) -> str:
        """What the CLI's image prints, as an operator runs it beside the router."""
        tls = self._certificates["comptoir-operator-ada-tls"]
        folder = self._laid("operator", _tls_files(tls))
        told = {"CA": "ca.crt", "CERTIFICATE": "tls.crt", "KEY": "tls.key"}
        return self.podman(
            "run",
            "--rm",
            *RESTRICTIONS,
            "--tmpfs=/tmp:rw,mode=1777",
            f"--network=ns:/run/netns/{self._network}",
            *self._hosts(),
            f"--volume={folder}:/run/operator:ro",
            "--env=COMPTOIR_ADMIN=localhost:8444",
            *(f"--env=COMPTOIR_ADMIN_{key}=/run/operator/{file}" for key, file in told.items()),
            self.images["cli"],
            *arguments,
        )

    def inside(self, name: str, *program: str) -> str:
        """What a program prints inside a running container."""
        return self.podman("exec", self.container(name), *program)

    def health(self, name: str) -> str:
        """What the image's own health check says."""
        done = self._podman("healthcheck", "run", self.container(name))
        return "healthy" if done.returncode == 0 else "unhealthy"

    def until_healthy(self, *names: str) -> None:
        """Returns when the health checks of all say so; ContainerError with the logs of one that does not."""
        end = time.monotonic() + _WAIT_SECONDS
        for name in names:
            while self.health(name) != "healthy":
                if time.monotonic() > end:
                    raise ContainerError(f"{name} is not healthy:\n{self.logs(name)[-3_000:]}")

    def logs(self, name: str) -> str:
        done = self._podman("logs", self.container(name))
        return done.stdout + done.stderr

    def process(self, name: str) -> int:
        """The number of a container's process on this machine, which hears a signal at once."""
        return int(self.podman("inspect", "--format", "{{.State.Pid}}", self.container(name)))

    def exit_status(self, name: str) -> int:
        """Waits for the end of a container, and returns the status of its process."""
        return int(self.podman("wait", self.container(name)))

    def client(self, *command: str | Path, **variables: str) -> subprocess.Popen[str]:
        """A program of this machine in the network of the containers."""
        return subprocess.Popen(
            ["nsenter", f"--net=/run/netns/{self._network}", *map(str, command)],  # noqa: S607
            env={**environment(), **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def data(self, name: str) -> Path:
        """The volume of a workload."""
        return self._folder / name / "data"

    def podman(self, *arguments: str | Path) -> str:
        """What podman prints; ContainerError where it fails."""
        done = self._podman(*arguments)
        if done.returncode != 0:
            raise ContainerError(f"podman {arguments[0]}: {done.stderr.strip()[-2_000:]}")
        return done.stdout.strip()

    def _podman(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ("podman", *map(str, arguments)),  # noqa: S607 - the one that engine.install put there
            env={**environment(), **self._variables},
            capture_output=True,
            text=True,
            timeout=_COMMAND_SECONDS,
            check=False,
        )

    def _workload(self, name: str) -> Document:
        return next(it for it in workloads(self._documents) if it["metadata"]["name"] == name)

    def _hosts(self) -> list[str]:
        """Each service and each first pod of a set, by its name in the cluster."""
        hosts = [*_HOSTS]
        for document in of_kind(self._documents, "StatefulSet"):
            name, first = document["metadata"]["name"], document["spec"]["ordinals"]["start"]
            service = f"{name}.comptoir.svc.cluster.local"
            hosts += [service, f"{name}-{first}.{service}"]
        return [f"--add-host={host}:127.0.0.1" for host in hosts]

    def _environment(self, workload: Document) -> dict[str, str]:
        first = workload["spec"].get("ordinals", {}).get("start", 0)
        pod = f"{workload['metadata']['name']}-{first}"
        fields = {"metadata.name": pod, "metadata.labels['apps.kubernetes.io/pod-index']": str(first)}
        told = {}
        for one in container_of(workload).get("env", ()):
            value = one["value"] if "value" in one else fields[one["valueFrom"]["fieldRef"]["fieldPath"]]
            told[one["name"]] = value.replace("$(POD_NAME)", pod)
        return told

    def _mounts(self, workload: Document) -> list[str]:
        volumes = {volume["name"]: volume for volume in pod_of(workload)["volumes"]}
        options = []
        for mount in container_of(workload)["volumeMounts"]:
            volume, place = volumes.get(mount["name"], {"name": "data"}), mount["mountPath"]
            if "emptyDir" in volume:
                size = _bytes(volume["emptyDir"]["sizeLimit"])
                options.append(f"--tmpfs={place}:rw,exec,mode=1777,size={size}")
            else:
                source = self._source(workload["metadata"]["name"], volume)
                options.append(f"--volume={source}:{place}:{'ro' if mount.get('readOnly') else 'rw'}")
        return options

    def _source(self, name: str, volume: Document) -> Path:
        if volume["name"] == "model":
            return _MODEL
        return self._laid(f"{name}/{volume['name']}", self._files(volume))

    def _files(self, volume: Document) -> dict[str, str]:
        if "configMap" in volume:
            data: dict[str, str] = named(self._documents, "ConfigMap", volume["configMap"]["name"])["data"]
            return data
        if "secret" not in volume:
            return {}
        secret = volume["secret"]["secretName"]
        if secret in self._certificates:
            return _tls_files(self._certificates[secret])
        if "items" not in volume["secret"] or secret == "comptoir-clickhouse-ca":
            # Of the stores, which are not here.
            return _tls_files(self.authority.files(secret))
        return {item["path"]: self._secrets[item["path"]] for item in volume["secret"]["items"]}

    def _laid(self, name: str, files: dict[str, str]) -> Path:
        """A folder as the kubelet lays it: for the user of the process, and for nobody else."""
        folder = self._folder / name
        folder.mkdir(parents=True, exist_ok=True)
        for file, content in files.items():
            (folder / file).write_text(content)
            (folder / file).chmod(0o440)
        for path in (folder, *folder.iterdir()):
            shutil.chown(path, USER, USER)
        return folder

    def _certificate(self, spec: dict[str, Any]) -> TlsFiles:
        (uri,) = spec.get("uris", [""])
        return self.authority.files(spec["commonName"], dns=" ".join(spec["dnsNames"]), uri=uri)


def _new_secrets() -> dict[str, str]:
    seed = secrets.token_bytes(32)
    public_key = Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()
    others = ("prompt-prefixes", "pepper", "cache-salt", "pseudonym-epoch-1", "clickhouse-password")
    return {
        "signing-key": seed.hex(),
        "ticket-1.pub": public_key.hex(),
        **{name: secrets.token_hex(32) for name in others},
    }


def _tls_files(files: TlsFiles) -> dict[str, str]:
    return {
        "tls.crt": files.certificate_file.read_text(),
        "tls.key": files.private_key_file.read_text(),
        "ca.crt": files.ca_file.read_text(),
    }


def _bytes(quantity: str) -> str:
    # Kubernetes' Gi and Mi are a mount's g and m.
    return quantity.removesuffix("i").lower()


def _run(command: Sequence[str], variables: dict[str, str]) -> None:
    done = subprocess.run(
        command,
        env={**environment(), **variables},
        capture_output=True,
        text=True,
        timeout=_COMMAND_SECONDS,
        check=False,
    )
    if done.returncode != 0:
        raise ContainerError(f"{' '.join(command)}: {done.stderr.strip()}")
