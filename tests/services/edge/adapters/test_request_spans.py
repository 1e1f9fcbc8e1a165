"""The first span of a request says what the edge measured."""

from services.edge.adapters.request_spans import request_span
from services.edge.domain.timeline import EdgeRequest, Endpoint
from services.kernel.errors import Reason
from services.kernel.identity import Identity


def _request() -> EdgeRequest:
    event = EdgeRequest(Identity(1, 2), started_at_microseconds=1_000_000, received_seconds=10.0)
    event.endpoint, event.http_status, event.model_number = Endpoint.CHAT_COMPLETIONS, 200, 1
    event.admitted_seconds, event.first_text_seconds, event.ended_seconds = 10.1, 10.5, 12.0
    event.output_tokens = 4
    return event


def test_a_request_is_a_span_from_its_arrival_to_its_last_byte_with_its_moments() -> None:
    span = request_span(_request(), {1: "tiny-eu"})
    assert span.is_first
    assert span.name == span.attributes["http.route"] == "/v1/chat/completions"
    assert (span.started_at_microseconds, span.duration_microseconds) == (1_000_000, 2_000_000)
    assert [tuple(moment) for moment in span.moments] == [("admitted", 1_100_000), ("first_text", 1_500_000)]
    assert span.attributes["gen_ai.request.model"] == "tiny-eu"
    assert span.attributes["gen_ai.usage.output_tokens"] == 4
    assert not span.error


def test_a_refusal_says_why_and_only_our_failures_are_errors() -> None:
    event = _request()
    event.reason, event.http_status, event.model_number, event.admitted_seconds = (
        Reason.KEY_INVALID,
        401,
        0,
        0.0,
    )
    refused = request_span(event, {1: "tiny-eu"})
    assert refused.attributes["error.type"] == "KEY_INVALID"
    assert "gen_ai.request.model" not in refused.attributes
    assert not refused.error
    assert [moment.name for moment in refused.moments] == ["first_text"]
    event.reason, event.http_status = Reason.INTERNAL, 500
    assert request_span(event, {}).error == "INTERNAL"
