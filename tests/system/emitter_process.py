"""A real emitter for system tests: started on a socket of its own, killed or stopped, never left behind."""

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import grpc
import yaml
from grpc_health.v1 import health_pb2, health_pb2_grpc

from services.runtime.addresses import GrpcTarget
from services.runtime.grpc.server import channel

START_SECONDS = 30.0
STOP_SECONDS = 30.0


class EmitterProcess:
    """`python -m services.emitter` on one spool; can be started again after it was killed."""

    def __init__(self, folder: Path, kafka_address: str, **settings: Any) -> None:
        self.spool_folder = folder / "spool"
        self.stderr_file = folder / "emitter.stderr"
        # Not a port: callers that reconnect while nobody listens can end up connected to themselves.
        self.address = f"unix:{folder}/emitter.sock"
        self._config_file = folder / "emitter.yaml"
        self._process: subprocess.Popen[bytes] | None = None
        secret_file = folder / "pseudonym-secret"
        secret_file.write_text("5a" * 32)
        section = {
            "listen": {"address": self.address},
            "kafka": {"bootstrap": kafka_address},
            "spool_folder": str(self.spool_folder),
            "pseudonym_epoch": 1,
            "pseudonym_secret_file": str(secret_file),
            **settings,
        }
        model = {"number": 1, "name": "tiny-eu", "context_tokens": 1024, "max_output_tokens": 256}
        catalog = {"regions": [{"number": 1, "name": "eu-fr"}], "models": [model]}
        document = {"region": "eu-fr", "catalog": catalog, "emitter": section}
        self._config_file.write_text(yaml.safe_dump(document), encoding="utf-8")

    def launch(self) -> "subprocess.Popen[bytes]":
        """Starts the process and does not wait."""
        with self.stderr_file.open("ab") as stderr:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "services.emitter", "--config", str(self._config_file)],
                stderr=stderr,
                start_new_session=True,
            )
        return self._process

    async def start(self) -> None:
        """Starts the process and waits until its health says SERVING."""
        self.launch()
        async with channel(GrpcTarget(address=self.address)) as opened:
            health: Any = health_pb2_grpc.HealthStub(opened)
            request = health_pb2.HealthCheckRequest()
            async for answer in health.Watch(request, timeout=START_SECONDS, wait_for_ready=True):
                if answer.status == health_pb2.HealthCheckResponse.SERVING:
                    return

    def channel(self) -> grpc.aio.Channel:
        """A channel to it."""
        return channel(GrpcTarget(address=self.address))

    def kill(self) -> None:
        """SIGKILL."""
        assert self._process is not None
        self._process.kill()
        self._process.wait(STOP_SECONDS)

    def stop(self) -> int:
        """SIGTERM, a bounded wait, and the exit status; nothing runs afterwards."""
        if self._process is None:
            return 0
        self._process.send_signal(signal.SIGTERM)
        try:
            return self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            raise
