"""Admission decisions become durable in the emitter's spool."""

from services.kernel.errors import ComptoirError, Reason
from services.router.domain.events import AdmissionEvent
from services.router.wire import events as wire
from services.runtime.emitter_client import EmitterClient
from services.runtime.telemetry import counter


class EmitterLog:
    """Hands each decision to the emitter and waits for its acknowledgement."""

    def __init__(self, client: EmitterClient) -> None:
        self._client = client
        self._decisions = counter(
            "comptoir.router.admissions", unit="{request}", description="Admission decisions."
        )

    async def record(self, event: AdmissionEvent) -> None:
        """Returns when the emitter has it; USAGE_NOT_RECORDED where it does not, whatever the cause."""
        self._decisions.add(1, {"reason": event.reason.name})
        try:
            await self._client.record(wire.admission_event(event))
        except ComptoirError as error:
            raise ComptoirError(
                Reason.USAGE_NOT_RECORDED, retry_after_seconds=error.retry_after_seconds
            ) from None

    async def close(self) -> None:
        """Waits for what is under way and closes the connection."""
        await self._client.close()
