"""The first span of a request: what the edge measured of it."""

from collections.abc import Mapping

from services.edge.domain.openai.paths import PATHS
from services.edge.domain.timeline import EdgeRequest
from services.runtime.span_attributes import Value
from services.runtime.tracing import Moment, Span

_FAILED_STATUS = 500


def request_span(event: EdgeRequest, models: Mapping[int, str]) -> Span:
    """Returns the span of a request that ended."""
    route = PATHS.get(event.endpoint, "other")
    attributes: dict[str, Value] = {
        "http.route": route,
        "http.response.status_code": event.http_status,
        "comptoir.is_streamed": event.is_streamed,
        "comptoir.tickets": event.attempts,
        "comptoir.transfer_record": event.transfer_record,
        "gen_ai.usage.input_tokens": event.input_tokens,
        "gen_ai.usage.output_tokens": event.output_tokens,
    }
    if event.model_number in models:
        attributes["gen_ai.request.model"] = models[event.model_number]
    if event.reason:
        attributes["error.type"] = event.reason.name
    started = event.started_at_microseconds
    moments = {"admitted": event.admitted_seconds, "first_text": event.first_text_seconds}
    return Span(
        name=route,
        started_at_microseconds=started,
        duration_microseconds=event.microseconds_to(event.ended_seconds),
        attributes=attributes,
        is_first=True,
        error=event.reason.name if event.http_status >= _FAILED_STATUS else "",
        moments=[
            Moment(name, started + event.microseconds_to(seconds))
            for name, seconds in moments.items()
            if seconds
        ],
    )
