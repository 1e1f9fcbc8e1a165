"""Sends the edge's own events to the emitter in the background; requests never wait for it."""

import asyncio
import contextlib
from collections import deque

from services.edge import wire
from services.edge.domain.timeline import EdgeRequest
from services.runtime.emitter_client import MAX_EVENTS, EmitterClient
from services.runtime.errors import ComptoirError
from services.runtime.identity import Identity
from services.runtime.logs import get_logger
from services.runtime.telemetry import counter

_log = get_logger(__name__)
_CLOSE_SECONDS = 0.5


class UsageReporter:
    """The UsageReports port: a bounded queue and one task that empties it.

    These events explain latency; what is billed is the generators' events, which nothing drops.
    """

    def __init__(
        self, emitter: EmitterClient, region_number: int, config_digest: int, *, max_waiting: int
    ) -> None:
        self._emitter = emitter
        self._region_number = region_number
        self._config_digest = config_digest
        self._max_waiting = max_waiting
        self._waiting: deque[EdgeRequest] = deque()
        self._sender: asyncio.Task[None] | None = None
        self._dropped = counter(
            "comptoir.edge.events_dropped", unit="{event}", description="Edge events given up on."
        )
        self.dropped = 0

    def report(self, event: EdgeRequest) -> None:
        """Takes an event; drops and counts it where there is no room."""
        if len(self._waiting) >= self._max_waiting:
            self._drop(1)
            return
        self._waiting.append(event)
        if self._sender is None or self._sender.done():
            self._sender = asyncio.create_task(self._send_all())

    async def close(self, *, within_seconds: float) -> None:
        """Waits until everything is durable, but no longer than `within_seconds`; closes the connection."""
        if self._sender is not None:
            await asyncio.wait([self._sender], timeout=within_seconds)
        self._drop(len(self._waiting))
        self._waiting.clear()
        with contextlib.suppress(TimeoutError):
            # What it still retries then is given up on, and the sender counts it.
            await asyncio.wait_for(self._emitter.close(), _CLOSE_SECONDS)
        if self._sender is not None:
            await asyncio.wait([self._sender], timeout=_CLOSE_SECONDS)

    async def _send_all(self) -> None:
        while self._waiting:
            batch = [self._waiting.popleft() for _ in range(min(MAX_EVENTS, len(self._waiting)))]
            events = [
                wire.usage_event(
                    event,
                    event_id=Identity.random(),
                    region_number=self._region_number,
                    config_digest=self._config_digest,
                )
                for event in batch
            ]
            try:
                await self._emitter.record(edge_requests=events)
            except ComptoirError as error:
                self._drop(len(batch))
                _log.warning("edge_events_dropped", count=len(batch), reason=error.reason.name)

    def _drop(self, count: int) -> None:
        self.dropped += count
        self._dropped.add(count)
