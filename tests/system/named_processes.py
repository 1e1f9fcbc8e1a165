"""Real processes of a region that know one another by certificates, and replicas of another region."""

import asyncio
import shutil
from pathlib import Path
from typing import Any, Final

import grpc

from services.kernel.process_names import RegionName
from services.runtime.addresses import GrpcTarget, TlsFiles
from services.runtime.grpc.server import channel
from tests.ports import free_port
from tests.services.runtime.certificates import Authority
from tests.system.serving_processes import START_SECONDS, ServingProcesses

HOME: Final = RegionName("comptoir.internal", "eu-fr")
ELSEWHERE: Final = RegionName("comptoir.internal", "eu-de")
# Replicas of the other region that are pointed at the router here. The second does not look whom it calls.
STRANGER, CARELESS_STRANGER = "generator2", "generator3"
_STRANGERS: Final = (STRANGER, CARELESS_STRANGER)
_KEYS: Final = ("certificate_file", "private_key_file", "ca_file")
_WAIT_SECONDS: Final = 0.05


class NamedProcesses(ServingProcesses):
    """As the others, over TLS with one authority for both regions."""

    def __init__(self, folder: Path) -> None:
        self.authority = Authority(folder / "authority")
        self._ports: dict[str, int] = {}
        self._files: dict[str, TlsFiles] = {}
        super().__init__(folder)

    def files(self, process: str, region: RegionName, name: str = "") -> TlsFiles:
        """A new certificate of a process that runs on this machine."""
        uri = f"{region}/process/{process}"
        name = name or f"{process}-{region.region}"
        return self.authority.files(name, dns=region.host("127.0.0.1"), uri=uri)

    def target(self, name: str, files: TlsFiles, peer_region: RegionName | None = None) -> GrpcTarget:
        """Where a process is called with a certificate."""
        return GrpcTarget(address=self._address(name), tls=files, peer_region=str(peer_region or ""))

    def renew(self) -> None:
        """Writes a new certificate of the same name over that of every process."""
        for name, files in self._files.items():
            own = self._new_files(name)
            for key in ("private_key_file", "certificate_file"):
                shutil.copy(getattr(own, key), getattr(files, key))

    async def until_logged(self, name: str, *words: str) -> None:
        """Returns once the log of a process has a line with all the words."""
        path = self._folder / f"{name}.log"
        async with asyncio.timeout(START_SECONDS):
            while not _has_line(path.read_text(), words):  # noqa: ASYNC110 - a file tells nobody
                await asyncio.sleep(_WAIT_SECONDS)

    def _new_files(self, name: str) -> TlsFiles:
        process = name.rstrip("0123456789")
        region = ELSEWHERE if name in _STRANGERS else HOME
        own = f"generator-{name.removeprefix(process)}" if process == "generator" else f"{process}-of-region"
        return self.files(process, region, own)

    def _tls_of(self, name: str) -> dict[str, str]:
        if name not in self._files:
            made = self._new_files(name)
            copies = {key: self._folder / f"{name}.{key}.pem" for key in _KEYS}
            for key, path in copies.items():
                shutil.copy(getattr(made, key), path)
            self._files[name] = TlsFiles(**copies)
        return {key: str(getattr(self._files[name], key)) for key in _KEYS}

    def _address(self, name: str) -> str:
        if name == "admin":
            return super()._address(name)
        return f"127.0.0.1:{self._ports.setdefault(name, free_port())}"

    def _channel(self, name: str) -> grpc.aio.Channel:
        if name == "admin":
            return super()._channel(name)
        made = channel(self.target(name, self.files("edge", HOME), HOME))
        self._channels.append(made)
        return made

    def _peer(self, name: str, at: str, *callers: str, service: str = "") -> dict[str, Any]:
        region = ELSEWHERE if name in _STRANGERS else HOME
        careless = name == CARELESS_STRANGER and not service
        return {
            "address": self._address(at),
            "tls": self._tls_of(name),
            "peer_region": "" if careless else str(region),
            **({"callers": {service: [f"{region}/process/{it}" for it in callers]}} if service else {}),
        }

    def _document(self, name: str) -> dict[str, Any]:
        document = super()._document(name)
        document["catalog"]["regions"].append({"number": 2, "name": ELSEWHERE.region})
        if name in _STRANGERS:
            document["region"] = ELSEWHERE.region
        return document

    def _emitter(self, name: str) -> dict[str, Any]:
        callers = ("edge", "router", "generator")
        return {
            **super()._emitter(name),
            "listen": self._peer(name, name, *callers, service="EmitterService"),
        }

    def _router(self, name: str) -> dict[str, Any]:
        return {
            **super()._router(name),
            "listen": self._peer(name, name, "edge", service="RouterService"),
            "replica_listen": self._peer(name, "replicas", "generator", service="ReplicaService"),
            "emitter": self._peer(name, "emitter"),
        }

    def _generator(self, name: str) -> dict[str, Any]:
        return {
            **super()._generator(name),
            "listen": self._peer(name, name, "edge", service="GeneratorService"),
            "router": self._peer(name, "replicas"),
            "emitter": self._peer(name, "emitter"),
        }

    def _edge(self, name: str) -> dict[str, Any]:
        return {
            **super()._edge(name),
            "router": self._peer(name, "router"),
            "emitter": self._peer(name, "emitter"),
            "generator_tls": self._tls_of(name),
            "generator_peer_region": str(HOME),
        }


def _has_line(text: str, words: tuple[str, ...]) -> bool:
    return any(all(word in line for word in words) for line in text.splitlines())
