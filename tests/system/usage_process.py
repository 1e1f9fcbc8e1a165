"""A real usage pipeline for system tests: started on a free port, killed or stopped, never left behind."""

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import grpc
import yaml
from comptoir.readiness.v1 import readiness_pb2, readiness_pb2_grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from services.kernel.readiness import Readiness
from services.runtime.grpc.readiness_service import readiness_of
from tests.system.clickhouse_process import ClickHouseProcess
from tests.system.kafka_process import KafkaProcess

START_SECONDS = 60.0
STOP_SECONDS = 30.0
_PAUSE_SECONDS = 0.05


class UsageProcess:
    """`python -m pipelines.usage`; can be started again after it was killed."""

    def __init__(
        self, folder: Path, kafka: KafkaProcess, clickhouse: ClickHouseProcess, **settings: Any
    ) -> None:
        self.stderr_file = folder / "usage.stderr"
        self.config_file = folder / "usage.yaml"
        self.address = f"unix:{folder}/usage.sock"
        self._kafka = kafka
        self._clickhouse = clickhouse
        self._process: subprocess.Popen[bytes] | None = None
        # For the next start: how far its clock is off, and which schema versions it reads.
        self.clock_offset_seconds = 0
        self.schema_versions: tuple[int, ...] = (1,)
        self.configure(**settings)

    def configure(self, **settings: Any) -> None:
        """Writes the configuration for the next start."""
        section = {
            "listen": {"address": self.address},
            "kafka": {"bootstrap": self._kafka.address, "session_timeout_seconds": 6},
            "clickhouse": {
                "url": self._clickhouse.url,
                "password_file": str(self._clickhouse.folder / "writer-password"),
            },
            "commit_every_seconds": 0.2,
            "retry_most_seconds": 1.0,
            **settings,
        }
        model = {"number": 1, "name": "tiny-eu", "context_tokens": 1024, "max_output_tokens": 256}
        catalog = {"regions": [{"number": 1, "name": "eu-fr"}], "models": [model]}
        document = {"region": "eu-fr", "catalog": catalog, "usage": section}
        self.config_file.write_text(yaml.safe_dump(document), encoding="utf-8")

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The process that was started last."""
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
                [*self._command(), "--config", str(self.config_file)],
                stderr=stderr,
                start_new_session=True,
            )

    def _command(self) -> list[str]:
        if not self.clock_offset_seconds and self.schema_versions == (1,):
            return [sys.executable, "-m", "pipelines.usage"]
        versions = ",".join(map(str, self.schema_versions))
        module = "tests.system.usage_in_another_world"
        return [sys.executable, "-m", module, str(self.clock_offset_seconds), versions]

    def start(self) -> None:
        """Starts the process and waits until its health says SERVING."""
        self.launch()
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self.is_serving():
                return
            if self.ended_within(_PAUSE_SECONDS):
                break
        raise AssertionError(f"the pipeline did not get ready:\n{self.stderr[-4000:]}")

    def is_serving(self) -> bool:
        """True if health says SERVING."""
        with grpc.insecure_channel(self.address) as channel:
            stub: Any = health_pb2_grpc.HealthStub(channel)
            try:
                answer = stub.Check(health_pb2.HealthCheckRequest(), timeout=2)
            except grpc.RpcError:
                return False
            return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)

    def readiness(self) -> Readiness | None:
        """What it says about itself, or None where it does not answer."""
        with grpc.insecure_channel(self.address) as channel:
            stub: Any = readiness_pb2_grpc.ReadinessServiceStub(channel)
            try:
                return readiness_of(stub.GetReadiness(readiness_pb2.GetReadinessRequest(), timeout=2))
            except grpc.RpcError:
                return None

    def ended_within(self, seconds: float) -> bool:
        """True if the process is gone, or goes within `seconds`."""
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def kill(self) -> None:
        """SIGKILL."""
        self.process.kill()
        self.process.wait(STOP_SECONDS)

    def stop(self) -> int:
        """SIGTERM, a bounded wait, and the exit status; nothing runs afterwards."""
        if self._process is None:
            return 0
        self.process.terminate()
        if not self.ended_within(STOP_SECONDS):
            self.kill()
        return self.process.wait(STOP_SECONDS)
