"""What is recorded of a request, as it is stored."""

from typing import Final

from comptoir.usage.v1 import usage_pb2

from services.contract.events import EVENT_SCHEMA_VERSION
from services.edge.domain.timeline import EdgeRequest
from services.kernel.identity import Identity

# The bound of the schema.
_MOST_REQUESTS: Final = 1_000_000


def usage_event(
    event: EdgeRequest, *, event_id: Identity, region_number: int, config_digest: int, requests: int = 1
) -> usage_pb2.EdgeRequest:
    """Returns the event as it is stored: counts, timings and catalog numbers."""
    return usage_pb2.EdgeRequest(
        event_id_high=event_id.high,
        event_id_low=event_id.low,
        schema_version=EVENT_SCHEMA_VERSION,
        request_id_high=event.request_id.high,
        request_id_low=event.request_id.low,
        region=region_number,
        home_region=event.home_region,
        transfer_record=event.transfer_record,
        config_digest=config_digest,
        tenant_low=event.tenant_number,
        key_low=event.key_number,
        started_at_microseconds=event.started_at_microseconds,
        endpoint=int(event.endpoint),  # type: ignore[arg-type] # the enum's stub type is nominal
        reason=int(event.reason),  # type: ignore[arg-type] # the enum's stub type is nominal
        model=event.model_number,
        http_status=event.http_status,
        is_streamed=event.is_streamed,
        is_client_cancelled=event.is_client_cancelled,
        request_bytes=event.request_bytes,
        response_bytes=event.response_bytes,
        client_retry_count=event.client_retry_count,
        admitted_microseconds=event.microseconds_to(event.admitted_seconds),
        first_byte_microseconds=event.microseconds_to(event.first_text_seconds),
        duration_microseconds=event.microseconds_to(event.ended_seconds),
        # One is not said, as by an edge that counts none.
        requests=min(requests, _MOST_REQUESTS) if requests > 1 else 0,
    )
