"""Runs the services of the file without a container engine, each in namespaces and with rights of its own."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from tests.compose.hub import Hub
from tests.compose.images import ENTRYPOINTS, VARIABLES, image_mounts
from tests.compose.project import Service
from tests.tied import tied

_CONTAINER: Final = Path(__file__).parent / "container.py"
_HEALTHY_SECONDS: Final = 400
_STOP_SECONDS: Final = 120
_EXEC_SECONDS: Final = 240
_PAUSE_SECONDS: Final = 0.5


class Container:
    """One service that runs, or ran."""

    def __init__(self, name: str, service: Service, folder: Path, mounts: list[dict[str, Any]]) -> None:
        self.name, self.service, self.folder, self.mounts = name, service, folder, mounts
        folder.mkdir(parents=True)
        given = {key: value for key, value in (service.get("environment") or {}).items() if value is not None}
        self.env = {**VARIABLES, **given}
        user = str(service["user"])
        self.uid, _, self.gid = user.partition(":")
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, hub: Hub, command: Sequence[str]) -> None:
        """Starts a command in it."""
        spec = {
            "scratch": str(self.folder),
            "mounts": [*self.mounts, *self._names(hub)],
            "hostname": self.name,
            "is_read_only": bool(self.service.get("read_only")),
            "uid": int(self.uid),
            "gid": int(self.gid),
            "env": self.env,
            "command": list(command),
        }
        (self.folder / "spec.json").write_text(json.dumps(spec))
        own = ["unshare", "--net", "--uts", "--mount", "--propagation", "private", "--"]
        with (self.folder / "out").open("ab") as out, (self.folder / "err").open("ab") as err:
            self.process = subprocess.Popen(
                tied([*own, sys.executable, str(_CONTAINER), str(self.folder / "spec.json")]),
                stdin=subprocess.PIPE,
                stdout=out,
                stderr=err,
            )
        self._go(hub)

    def _names(self, hub: Hub) -> list[dict[str, Any]]:
        """Writes how it finds others: by a file, and past that at Docker's resolver, where nobody knows more.

        With the resolver of this machine, gRPC would ask for a further address of each name behind a network
        that carries nothing there, and would wait for 14 s.
        """
        texts = {"hosts": hub.names_for(self.name), "resolv.conf": "nameserver 127.0.0.11\n"}
        for name, text in texts.items():
            (self.folder / name).write_text(text)
        return [
            {"type": "bind", "source": str(self.folder / name), "target": f"/etc/{name}", "read_only": True}
            for name in texts
        ]

    def _go(self, hub: Hub) -> None:
        assert self.process is not None
        assert self.process.stdin is not None
        _until_own_network(self.process.pid)
        if self.service.get("network_mode") != "none":
            hub.connect(self.name, self.process.pid)
        with self.process.stdin as line:
            line.write(b"\n")

    def run(self, command: Sequence[str]) -> subprocess.CompletedProcess[str]:
        """Runs a command in it beside its own, as its user."""
        assert self.process is not None
        ours = ["nsenter", f"--target={self.process.pid}", "--net", "--mount", "--root", "--wd=/", "--"]
        user = ["setpriv", f"--reuid={self.uid}", f"--regid={self.gid}", "--clear-groups", "--no-new-privs"]
        return subprocess.run(
            [*ours, *user, "--bounding-set=-all", "--inh-caps=-all", "--", *command],
            env=self.env,
            capture_output=True,
            text=True,
            timeout=_EXEC_SECONDS,
            check=False,
        )

    def is_healthy(self) -> bool:
        """True once the file's own check says so."""
        kind, *command = self.service["healthcheck"]["test"]
        assert kind == "CMD"
        assert self.process is not None
        assert self.process.poll() is None, self.said()
        return self.run(command).returncode == 0

    def said(self) -> str:
        """The end of what it wrote."""
        said = "".join(it.read_text(errors="replace")[-3000:] for it in self.folder.glob("[oe][ur][tr]"))
        return f"{self.name}: {said}"

    def stop(self) -> int:
        """Asks it to end as the file says, and returns its status."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(_signal(self.service.get("stop_signal", "SIGTERM")))
        try:
            return self.process.wait(_STOP_SECONDS)
        finally:
            self.process.kill()
            self.process.wait(_STOP_SECONDS)


class Machine:
    """Every service that can run here, in the order in which it depends on others."""

    def __init__(self, project: dict[str, Any], folder: Path, not_here: frozenset[str]) -> None:
        self.services: dict[str, Service] = project["services"]
        self.folder = folder
        self.not_here = not_here
        self.hub = Hub(project["networks"], self.services)
        self.containers: dict[str, Container] = {}
        self._runs = 0

    def up(self) -> None:
        """Starts whatever has no profile, each after what it waits for."""
        for name in self.order():
            container = self._made(name, name)
            self.containers[name] = container
            container.start(self.hub, self._command(name))
            if self._is_waited_for(name, "service_completed_successfully"):
                assert container.process is not None
                assert container.process.wait(_HEALTHY_SECONDS) == 0, container.said()
            elif self._is_waited_for(name, "service_healthy"):
                self.wait_for(name)
        for name in self.containers:
            self.wait_for(name)

    def order(self) -> list[str]:
        """The services that run here, those first that others depend on."""
        found: list[str] = []

        def visit(name: str) -> None:
            if name in found or name in self.not_here or name not in self.services:
                return
            for other in self.services[name].get("depends_on") or ():
                visit(other)
            if not self.services[name].get("profiles"):
                found.append(name)

        # Quick ones first: a slow one then starts beside nothing that it would hold up.
        for name in sorted(self.services, key=lambda it: it == "edge"):
            visit(name)
        return found

    def wait_for(self, name: str) -> None:
        """Returns once a service is healthy."""
        container = self.containers[name]
        if container.service["healthcheck"].get("disable"):
            return
        deadline = time.monotonic() + _HEALTHY_SECONDS
        while not container.is_healthy():
            assert time.monotonic() < deadline, container.said()
            _pause(container)

    def run(self, name: str, words: Sequence[str]) -> tuple[int, str, str]:
        """`docker compose run --rm NAME WORDS`: its status, and what it said."""
        self._runs += 1
        container = self._made(name, f"{name}-run-{self._runs}")
        container.start(self.hub, self._command(name, words))
        assert container.process is not None
        status = container.process.wait(_EXEC_SECONDS)
        out, err = ((container.folder / it).read_text() for it in ("out", "err"))
        return status, out, err

    def said(self, *names: str) -> str:
        """The end of what some of its services wrote."""
        return "\n".join(self.containers[name].said() for name in names)

    def down(self) -> dict[str, int]:
        """Stops everything, what depends on others first; the status of each."""
        found = {name: self.containers[name].stop() for name in reversed(list(self.containers))}
        self.containers.clear()
        return found

    def close(self) -> None:
        """Ends what is left."""
        for container in self.containers.values():
            if container.process is not None:
                container.process.kill()
                container.process.wait(_STOP_SECONDS)
        self.hub.close()

    def _made(self, name: str, folder: str) -> Container:
        service = self.services[name]
        own = [_tmpfs(it) for it in service.get("tmpfs") or ()]
        mounts = [self._volume(it) for it in service["volumes"]]
        uid, _, gid = str(service["user"]).partition(":")
        for mount in mounts:
            if mount["type"] == "volume":
                _own(Path(mount["source"]), int(uid), int(gid))
        if name == "clickhouse":
            # The real server is content with digests.
            for user, owner in (("writer", "usage"), ("console", "console")):
                secret = Path(self.services[owner]["volumes"][-1]["source"]) / "clickhouse-password"
                mounts.append({"type": "bind", "source": str(secret), "target": f"/run/stand-in/{user}"})
        return Container(
            name, service, self.folder / folder, [*own, *image_mounts(name, self.folder / "images"), *mounts]
        )

    def _volume(self, volume: dict[str, Any]) -> dict[str, Any]:
        if volume["type"] == "bind":
            assert Path(volume["source"]).exists(), volume["source"]
            return volume
        folder = self.folder / "volumes" / volume["source"]
        return {**volume, "source": str(folder)}

    def _command(self, name: str, words: Sequence[str] = ()) -> list[str]:
        service = self.services[name]
        # An entrypoint of the file takes the image's command away too.
        entrypoint, command = (service["entrypoint"], []) if service.get("entrypoint") else ENTRYPOINTS[name]
        return [*entrypoint, *(words or service.get("command") or command)]

    def _is_waited_for(self, name: str, condition: str) -> bool:
        asked = [(it.get("depends_on") or {}).get(name, {}) for it in self.services.values()]
        return any(it.get("condition") == condition for it in asked)


def _pause(container: Container) -> None:
    assert container.process is not None
    with contextlib.suppress(subprocess.TimeoutExpired):
        container.process.wait(_PAUSE_SECONDS)


def _until_own_network(pid: int) -> None:
    """Returns once a process has left this one's network; until then it is not yet itself."""
    mine, deadline = Path("/proc/self/ns/net").readlink(), time.monotonic() + _EXEC_SECONDS
    while Path(f"/proc/{pid}/ns/net").readlink() == mine:
        assert time.monotonic() < deadline, "namespaces take root: run these tests as root"
        os.sched_yield()


def _tmpfs(said: str) -> dict[str, Any]:
    target, _, options = said.partition(":")
    # As Docker mounts one, but for what is said.
    given = ["nosuid", "nodev", *([] if "exec" in options.split(",") else ["noexec"]), *options.split(",")]
    return {"type": "tmpfs", "target": target, "options": ",".join(it for it in given if it and it != "exec")}


def _own(folder: Path, uid: int, gid: int) -> None:
    """Makes a volume as an engine does: with the owner that its folder has in the image."""
    folder.mkdir(parents=True, exist_ok=True)
    os.chown(folder, uid, gid)


def _signal(name: str) -> int:
    return int(signal.Signals[name])
