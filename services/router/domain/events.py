"""The count-only record of one admission decision; numbers and identities, never text."""

from dataclasses import dataclass
from typing import Protocol

from services.kernel.errors import KEY_REFUSALS, Reason
from services.kernel.identity import Identity


@dataclass(frozen=True, slots=True)
class AdmissionEvent:
    """One decision; `comptoir.usage.v1.Admission` has the meanings. UNSPECIFIED reason means admitted."""

    event_id: Identity
    request_id: Identity
    region: int
    home_region: int
    config_digest: int
    tenant: int
    key: int
    started_at_microseconds: int
    duration_microseconds: int
    reason: Reason
    model: int
    priority: int
    replica: int = 0
    reserved_tokens: int = 0
    max_output_tokens: int = 0
    predicted_kv_blocks: int = 0
    tickets: int = 0
    transfer_record: int = 0
    # Refusals that this one stands for.
    requests: int = 1

    @property
    def is_counted(self) -> bool:
        """Tells whether it is the refusal of a key, which is counted with those that are like it."""
        return self.reason in KEY_REFUSALS

    @property
    def group(self) -> tuple[int, ...]:
        """Returns what refusals have in common that are counted together."""
        return (self.reason, self.tenant, self.key, self.home_region, self.priority)


class AdmissionLog(Protocol):
    """Where decisions become durable."""

    async def record(self, event: AdmissionEvent) -> None:
        """Returns when the event cannot be lost any more; USAGE_NOT_RECORDED after a bounded wait."""
        ...

    def record_later(self, event: AdmissionEvent) -> None:
        """Takes an event again for which nobody waits any more; counts it where it is lost. Never fails."""
        ...

    def record_refusal(self, event: AdmissionEvent) -> None:
        """Takes the event of a refusal, for which nobody waits; counts it where it is lost. Never fails."""
        ...
