"""Admission decisions become durable in the emitter's spool."""

import asyncio
from dataclasses import replace
from typing import Final

from services.kernel.errors import ComptoirError, Reason
from services.router.domain.events import AdmissionEvent
from services.router.wire import events as wire
from services.runtime.counted_events import CountedEvents
from services.runtime.emitter_client import EmitterClient
from services.runtime.telemetry import counter

# A caller without a key is refused too, as often as it asks.
MAX_WAITING_REFUSALS: Final = 4096


class EmitterLog:
    """Hands each decision to the emitter and waits for its acknowledgement."""

    def __init__(self, client: EmitterClient) -> None:
        self._client = client
        self._refusals: set[asyncio.Task[None]] = set()
        self._counted = CountedEvents(self._send_counted)
        self._lost = counter(
            "comptoir.router.refusals_lost", unit="{event}", description="Refusals that were not recorded."
        )
        self._decisions = counter(
            "comptoir.router.admissions", unit="{request}", description="Admission decisions."
        )

    async def record(self, event: AdmissionEvent) -> None:
        """Returns when the emitter has it; USAGE_NOT_RECORDED where it does not, whatever the cause."""
        self._decisions.add(event.requests, {"reason": event.reason.name})
        try:
            await self._client.record(wire.admission_event(event))
        except ComptoirError as error:
            raise ComptoirError(
                Reason.USAGE_NOT_RECORDED, retry_after_seconds=error.retry_after_seconds
            ) from None

    def record_refusal(self, event: AdmissionEvent) -> None:
        """Records it in the background; refusals of keys that are alike become one event a second."""
        if event.is_counted:
            self._counted.add(event.group, event)
        else:
            self._send(event)

    def _send_counted(self, event: AdmissionEvent, count: int) -> None:
        self._send(replace(event, requests=count))

    def _send(self, event: AdmissionEvent) -> None:
        # The emitter may be away, so only so many wait for it.
        if len(self._refusals) >= MAX_WAITING_REFUSALS:
            self._lost.add(event.requests)
            return
        task = asyncio.create_task(self._record_refusal(event))
        self._refusals.add(task)
        task.add_done_callback(self._refusals.discard)

    async def _record_refusal(self, event: AdmissionEvent) -> None:
        try:
            await self.record(event)
        except ComptoirError:
            self._lost.add(event.requests)

    async def close(self) -> None:
        """Waits for what is under way and closes the connection."""
        self._counted.flush()
        if self._refusals:
            await asyncio.wait(self._refusals)
        await self._client.close()
