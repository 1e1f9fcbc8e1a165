"""The machine that containers run on, as a network namespace: a bridge for each network, published ports."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from tests.compose.project import Service, networks_of
from tests.tied import tied

_SECONDS: Final = 60
_FORWARD: Final = Path(__file__).parent / "forward.py"


class Hub:
    """Lives until `close`, or until this process is gone; nothing of it is seen outside."""

    def __init__(self, networks: dict[str, Any], services: dict[str, Service]) -> None:
        self._numbers = {name: number for number, name in enumerate(sorted(networks), start=1)}
        self._internal = {name for name, it in networks.items() if (it or {}).get("internal")}
        self._hosts = {name: number for number, name in enumerate(sorted(services), start=10)}
        self._services = services
        self._forwards: list[subprocess.Popen[bytes]] = []
        self._process = subprocess.Popen(
            tied(["unshare", "--net", "--", "sh", "-c", "echo here; exec sleep infinity"]),
            stdout=subprocess.PIPE,
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == b"here\n", "namespaces take root: run these tests as root"
        lines = ["link set lo up"]
        for name, number in self._numbers.items():
            lines += [f"link add br{number} type bridge", f"link set br{number} up"]
            if name not in self._internal:
                lines.append(f"addr add 10.77.{number}.1/24 dev br{number}")
        self._ip(self._process.pid, lines)

    def inside(self, command: Sequence[str]) -> list[str]:
        """Returns the command as it runs on this machine's addresses."""
        return ["nsenter", f"--net=/proc/{self._process.pid}/ns/net", "--", *command]

    def connect(self, service: str, pid: int) -> None:
        """Gives a container's namespace its addresses, and its published ports a way in."""
        outer, inner = [], ["link set lo up"]
        for name in networks_of(self._services[service]):
            number, host = self._numbers[name], self._hosts[service]
            here, there = f"v{number}-{host}", f"eth{number}"
            outer += [
                f"link add {here} type veth peer name {there} netns {pid}",
                f"link set {here} master br{number}",
                f"link set {here} up",
            ]
            inner += [f"addr add {self.address(service, name)}/24 dev {there}", f"link set {there} up"]
            if name not in self._internal:
                inner.append(f"route replace default via 10.77.{number}.1")
        self._ip(self._process.pid, outer)
        self._ip(pid, inner)
        for port in self._services[service].get("ports") or ():
            open_network = next(it for it in networks_of(self._services[service]) if it not in self._internal)
            to = (self.address(service, open_network), str(port["target"]))
            listen = (port.get("host_ip", "0.0.0.0"), port["published"])  # noqa: S104 - of the namespace
            command = [sys.executable, str(_FORWARD), *listen, *to]
            self._forwards.append(subprocess.Popen(tied(self.inside(command))))

    def address(self, service: str, network: str) -> str:
        """Returns the address that a service has on one of its networks."""
        return f"10.77.{self._numbers[network]}.{self._hosts[service]}"

    def names_for(self, service: str) -> str:
        """Returns what Docker's resolver would answer this service: whoever shares a network with it."""
        lines = ["127.0.0.1 localhost"]
        mine = networks_of(self._services[service])
        for other, it in self._services.items():
            for network, aliases in networks_of(it).items():
                if network in mine:
                    lines.append(f"{self.address(other, network)} {' '.join((other, *aliases))}")
        return "\n".join(lines) + "\n"

    def close(self) -> None:
        """Ends what forwards, and the namespace with it."""
        for process in (*self._forwards, self._process):
            process.kill()
            process.wait(_SECONDS)
        if self._process.stdout is not None:
            self._process.stdout.close()

    @staticmethod
    def _ip(pid: int, lines: Sequence[str]) -> None:
        command = ("nsenter", f"--net=/proc/{pid}/ns/net", "--", "ip", "-batch", "-")
        subprocess.run(command, input="\n".join(lines), text=True, check=True, timeout=_SECONDS)
