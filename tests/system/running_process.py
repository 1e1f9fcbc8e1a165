"""A real process for system tests: configured, started, asked whether it is ready, killed or stopped."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, ClassVar

import grpc
import yaml
from grpc_health.v1 import health_pb2, health_pb2_grpc

STOP_SECONDS = 90.0
_PAUSE_SECONDS = 0.05


class RunningProcess:
    """`python -m MODULE` with a section of its own; can be started again after it was killed.

    Each process adds its defaults and how it says that it is ready.
    """

    module: ClassVar[str]
    section: ClassVar[str]
    start_seconds: ClassVar[float] = 120.0

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.folder = folder
        self.config_file = folder / f"{self.section}.yaml"
        self.stderr_file = folder / f"{self.section}.stderr"
        self._process: subprocess.Popen[bytes] | None = None
        self.configure(**settings)

    def defaults(self) -> dict[str, Any]:
        """The process's section, which a test's own settings are laid over."""
        raise NotImplementedError

    def is_ready(self) -> bool:
        """True if the process says that it is ready."""
        raise NotImplementedError

    def command(self) -> list[str]:
        """What starts it, up to the options."""
        return [sys.executable, "-m", self.module]

    def configure(self, **settings: Any) -> None:
        """Writes the configuration for the next start."""
        model = {"number": 1, "name": "tiny-eu", "context_tokens": 1024, "max_output_tokens": 256}
        catalog = {"regions": [{"number": 1, "name": "eu-fr"}], "models": [model]}
        document = {"region": "eu-fr", "catalog": catalog, self.section: {**self.defaults(), **settings}}
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

    def launch(self) -> subprocess.Popen[bytes]:
        """Starts the process and does not wait."""
        with self.stderr_file.open("ab") as stderr:
            self._process = subprocess.Popen(
                [*self.command(), "--config", str(self.config_file)], stderr=stderr, start_new_session=True
            )
        return self._process

    def start(self) -> None:
        """Starts the process and waits until it is ready."""
        self.launch()
        deadline = time.monotonic() + self.start_seconds
        while time.monotonic() < deadline:
            if self.is_ready():
                return
            if self.ended_within(_PAUSE_SECONDS):
                break
        raise AssertionError(f"{self.section} did not get ready:\n{self.stderr[-4000:]}")

    def ended_within(self, seconds: float) -> bool:
        """True if the Python process is gone, or goes within `seconds`."""
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

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


def is_serving(address: str) -> bool:
    """True if the health service at `address` says SERVING."""
    with grpc.insecure_channel(address) as channel:
        stub: Any = health_pb2_grpc.HealthStub(channel)
        try:
            answer = stub.Check(health_pb2.HealthCheckRequest(), timeout=2)
        except grpc.RpcError:
            return False
        return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)
