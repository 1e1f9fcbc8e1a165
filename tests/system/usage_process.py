"""A real usage pipeline for system tests."""

import sys
from pathlib import Path
from typing import Any

import grpc
from comptoir.readiness.v1 import readiness_pb2, readiness_pb2_grpc

from services.kernel.readiness import Readiness
from services.runtime.grpc.readiness_client import readiness_of
from services.runtime.kafka_target import KafkaTarget
from tests.system.clickhouse_process import ClickHouseProcess
from tests.system.kafka_process import KafkaProcess
from tests.system.running_process import RunningProcess, is_serving


class UsageProcess(RunningProcess):
    """`python -m pipelines.usage` between a broker and a store."""

    module, section = "pipelines.usage", "usage"

    def __init__(
        self,
        folder: Path,
        kafka: KafkaProcess | KafkaTarget,
        clickhouse: ClickHouseProcess,
        **settings: Any,
    ) -> None:
        self.address = f"unix:{folder}/usage.sock"
        target = KafkaTarget(bootstrap=kafka.address) if isinstance(kafka, KafkaProcess) else kafka
        self._kafka_settings = target.model_dump(mode="json", exclude_none=True)
        self._clickhouse = clickhouse
        # For the next start: how far its clock is off, and which schema versions it reads.
        self.clock_offset_seconds = 0
        self.schema_versions: tuple[int, ...] = (1,)
        super().__init__(folder, **settings)

    def defaults(self) -> dict[str, Any]:
        """The broker, the store, and short waits."""
        return {
            "listen": {"address": self.address},
            "kafka": {**self._kafka_settings, "session_timeout_seconds": 6},
            "clickhouse": {"url": self._clickhouse.url, "password_file": str(self._clickhouse.password_file)},
            "commit_every_seconds": 0.2,
            "retry_most_seconds": 1.0,
        }

    def command(self) -> list[str]:
        """The pipeline, or one in another world where its clock or its schema is another."""
        if not self.clock_offset_seconds and self.schema_versions == (1,):
            return super().command()
        versions = ",".join(map(str, self.schema_versions))
        module = "tests.system.usage_in_another_world"
        return [sys.executable, "-m", module, str(self.clock_offset_seconds), versions]

    def is_ready(self) -> bool:
        """True if its health says SERVING."""
        return is_serving(self.address)

    def readiness(self) -> Readiness | None:
        """What it says about itself, or None where it does not answer."""
        with grpc.insecure_channel(self.address) as channel:
            stub: Any = readiness_pb2_grpc.ReadinessServiceStub(channel)
            try:
                return readiness_of(stub.GetReadiness(readiness_pb2.GetReadinessRequest(), timeout=30))
            except grpc.RpcError:
                return None
