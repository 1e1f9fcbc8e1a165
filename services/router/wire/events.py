"""From a decision to its usage event; a pure function."""

from typing import Final

from comptoir.usage.v1 import usage_pb2

from services.contract.events import EVENT_SCHEMA_VERSION
from services.kernel.errors import Reason
from services.router.domain.events import AdmissionEvent

# The bound of the schema.
_MOST_REQUESTS: Final = 1_000_000


def admission_event(event: AdmissionEvent) -> usage_pb2.Admission:
    """Returns the usage event of a decision; the emitter adds the pseudonyms and its own sequence."""
    is_admitted = event.reason is Reason.UNSPECIFIED
    return usage_pb2.Admission(
        event_id_high=event.event_id.high,
        event_id_low=event.event_id.low,
        schema_version=EVENT_SCHEMA_VERSION,
        request_id_high=event.request_id.high,
        request_id_low=event.request_id.low,
        region=event.region,
        home_region=event.home_region,
        transfer_record=event.transfer_record,
        config_digest=event.config_digest,
        tenant_low=event.tenant,
        key_low=event.key,
        started_at_microseconds=event.started_at_microseconds,
        decision=usage_pb2.DECISION_ADMITTED if is_admitted else usage_pb2.DECISION_REFUSED,
        reason=int(event.reason),  # type: ignore[arg-type] # the enum's stub type is nominal
        model=event.model,
        replica=event.replica,
        priority=event.priority,
        reserved_tokens=event.reserved_tokens,
        max_output_tokens=event.max_output_tokens,
        predicted_kv_blocks=event.predicted_kv_blocks,
        tickets=event.tickets,
        duration_microseconds=event.duration_microseconds,
        # One is not said, as by a router that counts none.
        requests=min(event.requests, _MOST_REQUESTS) if event.requests > 1 else 0,
    )
