"""A real emitter for system tests."""

from pathlib import Path
from typing import Any

import grpc

from services.runtime.addresses import GrpcTarget
from services.runtime.grpc.server import channel
from tests.system.running_process import RunningProcess, is_serving


class EmitterProcess(RunningProcess):
    """`python -m services.emitter` on one spool and a socket of its own."""

    module, section = "services.emitter", "emitter"

    def __init__(self, folder: Path, kafka_address: str, **settings: Any) -> None:
        self.spool_folder = folder / "spool"
        # Not a port: callers that reconnect while nobody listens can end up connected to themselves.
        self.address = f"unix:{folder}/emitter.sock"
        self._kafka_address = kafka_address
        super().__init__(folder, **settings)

    def defaults(self) -> dict[str, Any]:
        """One spool, and a secret that is made here."""
        secret_file = self.folder / "pseudonym-secret"
        secret_file.write_text("5a" * 32)
        return {
            "listen": {"address": self.address},
            "kafka": {"bootstrap": self._kafka_address},
            "spool_folder": str(self.spool_folder),
            "pseudonym_epoch": 1,
            "pseudonym_secret_file": str(secret_file),
        }

    def is_ready(self) -> bool:
        """True if its health says SERVING."""
        return is_serving(self.address)

    def channel(self) -> grpc.aio.Channel:
        """A channel to it."""
        return channel(GrpcTarget(address=self.address))
