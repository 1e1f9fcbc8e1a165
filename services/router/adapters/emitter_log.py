"""Admission decisions and acts of operators become durable in the emitter's spool."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Final

from google.protobuf.message import Message

from services.kernel.errors import ComptoirError, Reason
from services.router.adapters.admission_spans import admission_span
from services.router.domain.acts import ActEvent
from services.router.domain.events import AdmissionEvent
from services.router.wire import events as wire
from services.router.wire.acts import admin_act
from services.runtime.counted_events import CountedEvents
from services.runtime.emitter_client import EmitterClient
from services.runtime.metrics.registry import router as metrics
from services.runtime.telemetry import counter
from services.runtime.tracing import SPANS

# A caller without a key is refused too, as often as it asks.
MAX_WAITING_REFUSALS: Final = 4096


class EmitterLog:
    """Hands each decision to the emitter and waits for its acknowledgement."""

    def __init__(self, client: EmitterClient, model_names: Mapping[int, str]) -> None:
        self._client = client
        self._model_names = model_names
        self._refusals: set[asyncio.Task[None]] = set()
        self._counted = CountedEvents(self._send_counted)
        self._lost = counter(metrics.REFUSALS_LOST)
        self._decisions = counter(metrics.ADMISSIONS)

    async def record(self, event: AdmissionEvent) -> None:
        """Returns when the emitter has it; USAGE_NOT_RECORDED where it does not, whatever the cause."""
        self._decisions.add(event.requests, {"reason": event.reason.name})
        if not event.reason:
            self._trace(event)
        await self._record(wire.admission_event(event))

    async def record_act(self, event: ActEvent) -> None:
        """Returns when the emitter has it; USAGE_NOT_RECORDED where it does not, whatever the cause."""
        await self._record(admin_act(event))

    async def _record(self, message: Message) -> None:
        try:
            await self._client.record(message)
        except ComptoirError as error:
            raise ComptoirError(
                Reason.USAGE_NOT_RECORDED, retry_after_seconds=error.retry_after_seconds
            ) from None

    def record_later(self, event: AdmissionEvent) -> None:
        """Records an event again whose `record` was cancelled: by its identity it is one."""
        self._later(partial(self._record, wire.admission_event(event)), event.requests)

    def record_refusal(self, event: AdmissionEvent) -> None:
        """Records it in the background; refusals of keys that are alike become one event a second."""
        self._trace(event)
        if event.is_counted:
            self._counted.add(event.group, event)
        else:
            self._send(event)

    def record_act_later(self, event: ActEvent) -> None:
        """Records it in the background."""
        self._later(partial(self.record_act, event), event.requests)

    def _trace(self, event: AdmissionEvent) -> None:
        if SPANS.is_sampled(event.request_id):
            SPANS.end(event.request_id, admission_span(event, self._model_names))

    def _send_counted(self, event: AdmissionEvent, count: int) -> None:
        self._send(replace(event, requests=count))

    def _send(self, event: AdmissionEvent) -> None:
        self._later(partial(self.record, event), event.requests)

    def _later(self, record: Callable[[], Awaitable[None]], count: int) -> None:
        # The emitter may be away, so only so many wait for it.
        if len(self._refusals) >= MAX_WAITING_REFUSALS:
            self._lost.add(count)
            return
        task = asyncio.create_task(self._record_later(record, count))
        self._refusals.add(task)
        task.add_done_callback(self._refusals.discard)

    async def _record_later(self, record: Callable[[], Awaitable[None]], count: int) -> None:
        try:
            await record()
        except ComptoirError:
            self._lost.add(count)

    async def close(self) -> None:
        """Waits for what is under way and closes the connection."""
        self._counted.flush()
        if self._refusals:
            await asyncio.wait(self._refusals)
        await self._client.close()
