"""Events that an emitter is given without a pause, and how many of them it acknowledged."""

from typing import Any

from comptoir.emitter.v1.emitter_pb2 import RecordRequest
from comptoir.emitter.v1.emitter_pb2_grpc import EmitterServiceStub

from services.kernel.clock import SystemClock
from tests.services.emitter import requests
from tests.system.emitter_process import EmitterProcess


class Load:
    """Calls one after the other."""

    def __init__(self, emitter: EmitterProcess) -> None:
        self.acknowledged = 0
        self._channel = emitter.channel()
        self._is_ending = False

    async def run(self) -> None:
        """Sends until `end`."""
        stub: Any = EmitterServiceStub(self._channel)
        while not self._is_ending:
            now = SystemClock().wall_microseconds()
            events = [requests.generation(started_at_microseconds=now) for _ in range(10)]
            await stub.Record(RecordRequest(generations=events), timeout=30, wait_for_ready=True)
            self.acknowledged += len(events)
        await self._channel.close()

    def end(self) -> None:
        """Lets `run` return."""
        self._is_ending = True
