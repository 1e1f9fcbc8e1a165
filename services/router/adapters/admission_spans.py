"""The span of an admission: what the router decided, and how long it took."""

from collections.abc import Mapping

from services.router.domain.events import AdmissionEvent
from services.runtime.span_attributes import Value
from services.runtime.tracing import Span


def admission_span(event: AdmissionEvent, models: Mapping[int, str]) -> Span:
    """Returns the span of one decision."""
    attributes: dict[str, Value] = {
        "comptoir.region": event.region,
        "comptoir.replica": event.replica,
        "comptoir.priority": event.priority,
        "comptoir.tickets": event.tickets,
        "comptoir.reserved_tokens": event.reserved_tokens,
        "comptoir.predicted_kv_blocks": event.predicted_kv_blocks,
        "comptoir.transfer_record": event.transfer_record,
    }
    if event.model in models:
        attributes["gen_ai.request.model"] = models[event.model]
    if event.reason:
        attributes["error.type"] = event.reason.name
    return Span("admit", event.started_at_microseconds, event.duration_microseconds, attributes)
