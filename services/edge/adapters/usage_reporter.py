"""Sends the edge's own events to the emitter in the background; requests never wait for it."""

import asyncio
import contextlib
import random
from collections import deque
from typing import Final

from comptoir.usage.v1 import usage_pb2

from services.edge.domain.timeline import EdgeRequest
from services.edge.wire.events import usage_event
from services.kernel.backoff import Backoff
from services.kernel.errors import ComptoirError
from services.kernel.identity import Identity
from services.runtime.counted_events import CountedEvents
from services.runtime.emitter_client import MAX_EVENTS, EmitterClient
from services.runtime.logs import get_logger
from services.runtime.metrics.registry import edge as metrics
from services.runtime.telemetry import counter

_log = get_logger(__name__)
_CLOSE_SECONDS: Final = 0.5
_LINGER_SECONDS: Final = 0.2
_FIRST_PAUSE_SECONDS: Final = 0.5
_LONGEST_PAUSE_SECONDS: Final = 8.0


class UsageReporter:
    """The UsageReports port: a bounded queue and one task that empties it.

    An event stays until the emitter has it or refuses it for good; where the queue is full, new ones are
    dropped. These events explain latency; what is billed is the generators' events, which nothing drops.
    """

    def __init__(
        self, emitter: EmitterClient, region_number: int, config_digest: int, *, max_waiting: int
    ) -> None:
        self._emitter = emitter
        self._region_number = region_number
        self._config_digest = config_digest
        self._max_waiting = max_waiting
        self._counted = CountedEvents(self._take)
        self._waiting: deque[usage_pb2.EdgeRequest] = deque()
        self._sent: list[usage_pb2.EdgeRequest] = []
        self._sender: asyncio.Task[None] | None = None
        self._is_closing = asyncio.Event()
        self._dropped = counter(metrics.EVENTS_DROPPED)
        self.dropped = 0

    def report(self, event: EdgeRequest) -> None:
        """Takes an event; drops and counts it where there is no room.

        Requests that were refused alike for their keys become one event a second.
        """
        if event.is_counted:
            self._counted.add(event.group, event)
        else:
            self._take(event, 1)

    def _take(self, event: EdgeRequest, requests: int) -> None:
        if len(self._waiting) + len(self._sent) >= self._max_waiting:
            self._drop(requests)
            return
        # Its id is given here, so that an event that is sent again is known by it.
        message = usage_event(
            event,
            event_id=Identity.dated(event.started_at_microseconds),
            region_number=self._region_number,
            config_digest=self._config_digest,
            requests=requests,
        )
        self._waiting.append(message)
        if self._sender is None or self._sender.done():
            self._sender = asyncio.create_task(self._send_all())

    async def close(self, *, within_seconds: float) -> None:
        """Waits until everything is durable, but no longer than `within_seconds`; closes the connection."""
        self._counted.flush()
        self._is_closing.set()
        if self._sender is not None:
            await asyncio.wait([self._sender], timeout=within_seconds)
            self._sender.cancel()
        self._drop(len(self._waiting) + len(self._sent))
        self._waiting.clear()
        self._sent.clear()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._emitter.close(), _CLOSE_SECONDS)
        if self._sender is not None:
            await asyncio.wait([self._sender], timeout=_CLOSE_SECONDS)

    async def _send_all(self) -> None:
        backoff = Backoff(_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS)
        while self._waiting:
            await self._linger()
            self._sent = [self._waiting.popleft() for _ in range(min(MAX_EVENTS, len(self._waiting)))]
            kept = await self._send(self._sent)
            self._waiting += kept
            self._sent = []
            if not kept:
                backoff.reset()
                continue
            await asyncio.sleep(backoff.next_seconds(jitter=random.random()))  # noqa: S311 - spreads retries

    async def _linger(self) -> None:
        """Lets more events come: nobody waits for these, and the emitter writes to its disk for each call."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LINGER_SECONDS):
                await self._is_closing.wait()

    async def _send(self, events: list[usage_pb2.EdgeRequest]) -> list[usage_pb2.EdgeRequest]:
        """Sends events together, and each by itself where that fails; returns those to be sent again.

        So one that is refused takes no other with it, and a task and a future for each are rare.
        """
        try:
            await self._emitter.record(*events)
        except ComptoirError:
            is_kept = await asyncio.gather(*(self._is_to_be_kept(event) for event in events))
            return [event for event, is_left in zip(events, is_kept, strict=True) if is_left]
        return []

    async def _is_to_be_kept(self, event: usage_pb2.EdgeRequest) -> bool:
        """Sends an event; true if it has to be sent again. One that is refused for good is dropped."""
        try:
            await self._emitter.record(event)
        except ComptoirError as error:
            if error.reason.row.is_retryable:
                return True
            self._drop(1)
            _log.error("edge_event_dropped", reason=error.reason.name)
        return False

    def _drop(self, count: int) -> None:
        self.dropped += count
        self._dropped.add(count)
