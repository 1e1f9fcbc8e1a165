"""The standard health service, in which no watcher holds up the process or another watcher.

The library's keeps a lock while it writes to a watcher: with one that does not read, the health of the
process could change no more, and a drain would wait for ever.
"""

import asyncio
from typing import Final

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from services.runtime.grpc.interceptors import Context
from services.runtime.grpc.waiting_calls import WaitingCalls

# They need no key, and each keeps a place for as long as it likes.
MOST_WATCHERS: Final = 64

_Answer = health_pb2.HealthCheckResponse


class HealthService(health_pb2_grpc.HealthServicer):  # type: ignore[misc] # the library has no types
    """Answers with the states that it was told last; "" is the process."""

    def __init__(self) -> None:
        self._states: dict[str, int] = {"": _Answer.SERVING}
        self._changed = asyncio.Event()
        self._is_shut_down = False
        self._watchers = WaitingCalls(most_waiting=MOST_WATCHERS)

    def set(self, service: str, status: int) -> None:
        """Takes the state of one service, by its full name."""
        if not self._is_shut_down:
            self._states[service] = status
            self._tell()

    def shut_down(self) -> None:
        """Says NOT_SERVING of everything from now on, and ends watches with it."""
        self._states = dict.fromkeys(self._states, _Answer.NOT_SERVING)
        self._is_shut_down = True
        self._tell()

    async def Check(  # noqa: N802 - the name is the schema's
        self, request: health_pb2.HealthCheckRequest, context: Context
    ) -> health_pb2.HealthCheckResponse:
        """Says the state of a service; NOT_FOUND for one that nobody told of."""
        status = self._states.get(request.service)
        if status is None:
            await context.abort(grpc.StatusCode.NOT_FOUND)
        return _Answer(status=status)

    async def Watch(  # noqa: N802 - the name is the schema's
        self, request: health_pb2.HealthCheckRequest, context: Context
    ) -> None:
        """Says the state of a service, and each new one, until newer watchers need the place."""
        try:
            async with self._watchers.place():
                await self._watch(request.service, context)
        except TimeoutError:
            await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "too many watch; ask with Check")

    async def _watch(self, service: str, context: Context) -> None:
        told = None
        while True:
            changed = self._changed
            status = self._states.get(service, _Answer.SERVICE_UNKNOWN)
            if status != told:
                await context.write(_Answer(status=status))
                told = status
            elif self._is_shut_down:
                return
            else:
                await changed.wait()

    def _tell(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()
