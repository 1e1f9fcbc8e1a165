"""The span of a generation, and within it those of its queue, its prefill and its decode."""

from collections.abc import Iterator
from typing import Final

from services.generator.domain.terminal_event import Outcome, TerminalEvent
from services.runtime.span_attributes import Value
from services.runtime.tracing import SPANS, Kind, Span

_FAILED: Final = (Outcome.ENGINE_FAILED, Outcome.DEADLINE, Outcome.SHED, Outcome.PREEMPTED)


class GenerationSpans:
    """Makes a span of each terminal event whose request is sampled."""

    def __init__(self, model: str, *, operation: str) -> None:
        self._name = f"{operation} {model}"
        self._attributes: dict[str, Value] = {
            "gen_ai.operation.name": operation,
            "gen_ai.provider.name": "comptoir",
            "gen_ai.request.model": model,
        }

    def ended(self, event: TerminalEvent) -> None:
        """Takes one generation."""
        if SPANS.is_sampled(event.claims.request_id):
            SPANS.end(event.claims.request_id, self._span(event))

    def _span(self, event: TerminalEvent) -> Span:
        claims, counts, ending = event.claims, event.counts, event.ending
        attributes = {
            **self._attributes,
            "gen_ai.usage.input_tokens": counts.input_tokens,
            "gen_ai.usage.cache_read.input_tokens": counts.cached_input_tokens,
            "gen_ai.usage.output_tokens": counts.output_tokens,
            "gen_ai.response.finish_reasons": (ending.outcome.name.lower(),),
            "comptoir.region": claims.region,
            "comptoir.replica": claims.replica,
            "comptoir.priority": int(claims.priority),
            "comptoir.attempt": claims.attempt,
            "comptoir.predicted_kv_blocks": claims.predicted_kv_blocks,
            "comptoir.actual_kv_blocks": event.actual_kv_blocks,
            "comptoir.is_streamed": event.is_streamed,
            "comptoir.transfer_record": claims.transfer_record,
        }
        if ending.reason:
            attributes["error.type"] = ending.reason.name
        return Span(
            name=self._name,
            started_at_microseconds=event.started_at_microseconds,
            duration_microseconds=event.timings.duration_microseconds,
            attributes=attributes,
            error=ending.outcome.name if ending.outcome in _FAILED else "",
            parts=tuple(_parts(event)),
        )


def _parts(event: TerminalEvent) -> Iterator[Span]:
    """Yields what came one after another; queue and prefill are on the engine's clock and end at the TTFT."""
    timings = event.timings
    if not event.counts.output_tokens:
        return
    first = event.started_at_microseconds + timings.ttft_microseconds
    scheduled = first - timings.prefill_microseconds
    yield Span("queue", scheduled - timings.queue_microseconds, timings.queue_microseconds, {}, Kind.INTERNAL)
    yield Span("prefill", scheduled, timings.prefill_microseconds, {}, Kind.INTERNAL)
    decode = timings.duration_microseconds - timings.ttft_microseconds
    yield Span("decode", first, decode, {}, Kind.INTERNAL)
