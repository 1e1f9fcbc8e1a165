"""A real Kubernetes API on this machine: etcd, API server, controllers, scheduler, and no kubelets.

kwok says that nodes are ready and that pods run, and nothing runs in them: what a pod may be, where it goes
and who makes it is real; probes, images and the network are not there.
"""

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from services.runtime.settings import environment
from tests.cluster.custom_resources import definitions
from tests.cluster.identities import Identities
from tests.ports import free_block

READY_SECONDS: Final = 300
_COMMAND_SECONDS: Final = 300
_STOP_SECONDS: Final = 5.0
_PAUSE_SECONDS: Final = 0.5
REGION: Final = "topology.kubernetes.io/region"
_KWOK: Final = {"kwok.x-k8s.io/node": "fake"}


class ClusterError(Exception):
    """A command failed, or a part ended; the text is the end of what it said."""


class SmallCluster:
    """Starts and stops the parts, and runs kubectl as their operator."""

    def __init__(self, programs: Path, kubectl: Path, folder: Path) -> None:
        self._kubectl = kubectl
        self._bin, self._stages = programs / "bin", programs / "stages.yaml"
        self._folder = folder
        self._ids = Identities(folder)
        block = free_block()
        self._etcd, self._peer, self._api, self._first_health = range(block, block + 4)
        self.server = f"https://127.0.0.1:{self._api}"
        self.kubeconfig = self._ids.kubeconfig("admin", self.server)
        self._parts: list[tuple[str, subprocess.Popen[bytes]]] = []

    def start(self) -> None:
        self._start_etcd()
        self._start_api_server()
        self._until("the API server is ready", lambda: self.kubectl("get", "--raw=/readyz") == "ok")
        self._start_controllers()
        stages = (
            "--config",
            str(self._stages),
            "--manage-all-nodes=true",
            "--node-lease-duration-seconds=40",
        )
        self._start(
            "kwok",
            *stages,
            f"--kubeconfig={self.kubeconfig}",
            f"--server-address=127.0.0.1:{self._first_health + 2}",
        )
        self._until(
            "accounts are made", lambda: "default" in self.kubectl("get", "serviceaccounts", "-o=name")
        )

    def stop(self) -> None:
        for _, process in reversed(self._parts):
            process.terminate()
        for _, process in self._parts:
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def kubectl(self, *arguments: str, stdin: str = "") -> str:
        """What a command printed; ClusterError with what it said instead."""
        done = subprocess.run(
            (str(self._kubectl), f"--kubeconfig={self.kubeconfig}", *arguments),
            input=stdin,
            env={**environment(), "KUBECACHEDIR": str(self._folder / "discovery")},
            capture_output=True,
            text=True,
            timeout=_COMMAND_SECONDS,
            check=False,
        )
        if done.returncode != 0:
            raise ClusterError(done.stderr)
        return done.stdout

    @contextmanager
    def watching(self, *arguments: str) -> Iterator[list[str]]:
        """Lines that `kubectl get --watch` prints while the block lasts; they are there once it is over."""
        command = (str(self._kubectl), f"--kubeconfig={self.kubeconfig}", "get", "--watch", *arguments)
        variables = {**environment(), "KUBECACHEDIR": str(self._folder / "discovery")}
        lines: list[str] = []
        with subprocess.Popen(command, env=variables, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            try:
                # The first says what there is; from then on it watches.
                lines.append(process.stdout.readline().rstrip("\n"))
                yield lines
            finally:
                process.terminate()
                lines += process.stdout.read().splitlines()

    def apply(self, *documents: dict[str, Any]) -> None:
        items = {"apiVersion": "v1", "kind": "List", "items": list(documents)}
        self.kubectl("apply", "--server-side", "-f", "-", stdin=json.dumps(items))

    def list(self, kinds: str, namespace: str) -> list[dict[str, Any]]:
        """Every object of these kinds, separated by commas, in a namespace."""
        found: list[dict[str, Any]] = json.loads(
            self.kubectl("get", kinds, "--namespace", namespace, "-o=json")
        )["items"]
        return found

    def add_node(self, name: str, region: str, zone: str) -> None:
        room = {"cpu": "64", "memory": "512Gi", "pods": "110", "nvidia.com/gpu": "8"}
        labels = {
            REGION: region,
            "topology.kubernetes.io/zone": zone,
            "kubernetes.io/hostname": name,
            "type": "kwok",
        }
        self.apply(
            {
                "apiVersion": "v1",
                "kind": "Node",
                "metadata": {"name": name, "labels": labels, "annotations": _KWOK},
                "status": {"capacity": room, "allocatable": room},
            }
        )
        status = json.dumps({"status": {"capacity": room, "allocatable": room}})
        self.kubectl("patch", "node", name, "--subresource=status", "--type=merge", "-p", status)

    def add_volumes(self, count: int) -> None:
        """Volumes for whoever claims one."""
        self.apply(
            *(
                {
                    "apiVersion": "v1",
                    "kind": "PersistentVolume",
                    "metadata": {"name": f"volume-{number}"},
                    "spec": {
                        "capacity": {"storage": "100Gi"},
                        "accessModes": ["ReadWriteOnce", "ReadOnlyMany"],
                        "hostPath": {"path": f"/volumes/{number}"},
                    },
                }
                for number in range(count)
            )
        )

    def _start_etcd(self) -> None:
        client, peer = (f"http://127.0.0.1:{port}" for port in (self._etcd, self._peer))
        self._start(
            "etcd",
            f"--data-dir={self._folder / 'etcd'}",
            f"--listen-client-urls={client}",
            f"--advertise-client-urls={client}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=default={peer}",
            "--unsafe-no-fsync",
        )

    def _start_api_server(self) -> None:
        ids = self._ids
        self._start(
            "kube-apiserver",
            f"--etcd-servers=http://127.0.0.1:{self._etcd}",
            "--bind-address=127.0.0.1",
            "--advertise-address=127.0.0.1",
            f"--secure-port={self._api}",
            f"--tls-cert-file={ids.path('apiserver.crt')}",
            f"--tls-private-key-file={ids.path('apiserver.key')}",
            f"--client-ca-file={ids.path('ca.crt')}",
            f"--cert-dir={self._folder}",
            f"--service-account-key-file={ids.path('tokens.pub')}",
            f"--service-account-signing-key-file={ids.path('tokens.key')}",
            "--service-account-issuer=https://kubernetes.default.svc",
            "--service-cluster-ip-range=10.0.0.0/24",
            "--authorization-mode=Node,RBAC",
            "--endpoint-reconciler-type=none",
            f"--requestheader-client-ca-file={ids.path('ca.crt')}",
            "--requestheader-allowed-names=front-proxy",
            "--requestheader-extra-headers-prefix=X-Remote-Extra-",
            "--requestheader-group-headers=X-Remote-Group",
            "--requestheader-username-headers=X-Remote-User",
            f"--proxy-client-cert-file={ids.path('front.crt')}",
            f"--proxy-client-key-file={ids.path('front.key')}",
            # So that it is Pod Security that refuses one.
            "--allow-privileged=true",
        )

    def _start_controllers(self) -> None:
        for offset, (part, program) in enumerate(
            (("controllers", "kube-controller-manager"), ("scheduler", "kube-scheduler"))
        ):
            config = self._ids.kubeconfig(part, self.server)
            known = [
                f"--{name}={config}"
                for name in ("kubeconfig", "authentication-kubeconfig", "authorization-kubeconfig")
            ]
            port = self._first_health + offset
            own = [
                "--bind-address=127.0.0.1",
                f"--secure-port={port}",
                "--leader-elect=false",
                f"--cert-dir={self._folder}",
            ]
            if part == "controllers":
                own += [
                    "--use-service-account-credentials=true",
                    f"--service-account-private-key-file={self._ids.path('tokens.key')}",
                    f"--root-ca-file={self._ids.path('ca.crt')}",
                ]
            self._start(program, *known, *own)

    def _start(self, program: str, *arguments: str) -> None:
        log = self._folder / f"{program}.log"
        with log.open("wb") as file:
            process = subprocess.Popen(
                (str(self._bin / program), *arguments), stdout=file, stderr=file, cwd=self._folder
            )
        self._parts.append((program, process))

    def _until(self, what: str, is_so: Callable[[], bool]) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while True:
            try:
                if is_so():
                    return
                said = "not yet"
            except ClusterError as error:
                said = str(error)
            for program, process in self._parts:
                if process.poll() is not None:
                    log = (self._folder / f"{program}.log").read_text(errors="replace")
                    raise ClusterError(f"{program} ended: {log[-2000:]}")
            if time.monotonic() > deadline:
                raise ClusterError(f"{what}: not after {READY_SECONDS} s: {said[-500:]}")
            time.sleep(_PAUSE_SECONDS)


@contextmanager
def small_cluster(programs: Path, kubectl: Path, folder: Path) -> Iterator[SmallCluster]:
    """One that is ready, with two nodes of the region fr-par and one elsewhere, and volumes."""
    cluster = SmallCluster(programs, kubectl, folder)
    try:
        cluster.start()
        cluster.add_node("paris-1", "fr-par", "fr-par-1")
        cluster.add_node("paris-2", "fr-par", "fr-par-2")
        cluster.add_node("virginia-1", "us-east", "us-east-1a")
        cluster.add_volumes(24)
        cluster.kubectl("apply", "--server-side", "-f", str(definitions()))
        for name in cluster.kubectl("get", "customresourcedefinitions", "-o=name").split():
            cluster.kubectl("wait", "--for=condition=Established", name, "--timeout=120s")
        yield cluster
    finally:
        cluster.stop()
