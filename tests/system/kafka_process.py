"""A real local broker for system tests: started on free ports, killed or stopped, never left behind."""

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import yaml

START_SECONDS = 90.0
STOP_SECONDS = 30.0
_PAUSE_SECONDS = 0.05


def free_ports(count: int) -> list[int]:
    """Ports of 127.0.0.1 that nobody listened on a moment ago."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [held.getsockname()[1] for held in sockets]
    for held in sockets:
        held.close()
    return ports


class KafkaProcess:
    """`python -m deploy.local.kafka` on one data folder; can be started again after it was killed."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.folder = folder
        self.data_folder = folder / "kafka"
        self.config_file = folder / "kafka.yaml"
        self.stderr_file = folder / "kafka.stderr"
        self.port, self.controller_port = free_ports(2)
        self.address = f"127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None
        self.configure(**settings)

    def configure(self, **settings: Any) -> None:
        """Writes the configuration for the next start."""
        section = {
            "listen": self.address,
            "controller_port": self.controller_port,
            "data_folder": str(self.data_folder),
            "heap_megabytes": 256,
            **settings,
        }
        model = {"number": 1, "name": "tiny-eu", "context_tokens": 1024, "max_output_tokens": 256}
        catalog = {"regions": [{"number": 1, "name": "eu-fr"}], "models": [model]}
        document = {"region": "eu-fr", "catalog": catalog, "local_kafka": section}
        self.config_file.write_text(yaml.safe_dump(document), encoding="utf-8")

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The Python process that was started last."""
        assert self._process is not None
        return self._process

    @property
    def stderr(self) -> str:
        """What all processes so far wrote to standard error."""
        return self.stderr_file.read_text(encoding="utf-8")

    def launch(self) -> None:
        """Starts the process and does not wait."""
        with self.stderr_file.open("ab") as stderr:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "deploy.local.kafka", "--config", str(self.config_file)],
                stderr=stderr,
                start_new_session=True,
            )

    def start(self) -> None:
        """Starts the process and waits until it says that it is ready."""
        self.launch()
        for _ in range(round(START_SECONDS / _PAUSE_SECONDS)):
            if self.is_ready():
                return
            if self.ended_within(_PAUSE_SECONDS):
                break
        raise AssertionError(f"the broker did not get ready:\n{self.stderr[-4000:]}")

    def is_ready(self) -> bool:
        """True if the ready file speaks of the process that was started last."""
        try:
            ready = json.loads((self.data_folder / "ready").read_text(encoding="ascii"))
        except FileNotFoundError:
            return False
        return bool(ready == {"pid": self.process.pid, "address": self.address})

    def ended_within(self, seconds: float) -> bool:
        """True if the Python process is gone, or goes within `seconds`."""
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def java(self) -> psutil.Process:
        """The Java process, as soon as there is one."""
        parent = psutil.Process(self.process.pid)
        for _ in range(round(START_SECONDS / _PAUSE_SECONDS)):
            for child in parent.children():
                if child.name() == "java":
                    return child
            if self.ended_within(_PAUSE_SECONDS):
                break
        raise AssertionError(f"no Java was started:\n{self.stderr[-4000:]}")

    def kill(self) -> None:
        """SIGKILL to the Python process only, as a crash or an impatient person would."""
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait(STOP_SECONDS)

    def stop(self) -> int:
        """SIGTERM, a bounded wait, and the exit status; nothing runs afterwards, whatever happened before."""
        if self._process is None:
            return 0
        self.process.terminate()
        if not self.ended_within(STOP_SECONDS):
            self.kill()
        return self.process.wait(STOP_SECONDS)
