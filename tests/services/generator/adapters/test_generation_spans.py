"""The span of a generation and what is within it."""

from dataclasses import replace
from typing import Any

import pytest
from opentelemetry.sdk.resources import Resource

from services.generator.adapters import generation_spans
from services.generator.adapters.generation_spans import GenerationSpans
from services.generator.domain.terminal_event import Counts, Ending, Outcome
from services.generator.domain.timeline import Timings
from services.kernel.errors import Reason
from services.runtime.tracing import Spans
from tests.services.generator.domain.test_recording import EVENT

_EVENT = replace(
    EVENT,
    ending=Ending(Outcome.STOP),
    counts=Counts(10, 4, 5, longest_choice_tokens=5),
    timings=Timings(100, 200, 400, 50, 1_000),
    started_at_microseconds=1_000_000,
    actual_kv_blocks=3,
)


@pytest.fixture
def ended(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    found: list[Any] = []
    spans = Spans()
    spans.open(found.append, Resource({}), ratio=1.0, models=frozenset({"tiny-eu"}))
    monkeypatch.setattr(generation_spans, "SPANS", spans)
    return found


def test_queue_prefill_and_decode_follow_each_other_and_end_with_first_and_last_token(
    ended: list[Any],
) -> None:
    GenerationSpans("tiny-eu", operation="chat").ended(_EVENT)
    whole, *parts = ended
    assert whole.name == "chat tiny-eu"
    assert (whole.start_time, whole.end_time) == (1_000_000_000, 1_001_000_000)
    assert whole.attributes["gen_ai.response.finish_reasons"] == ("stop",)
    assert whole.attributes["gen_ai.usage.cache_read.input_tokens"] == 4
    assert whole.attributes["comptoir.predicted_kv_blocks"] == EVENT.claims.predicted_kv_blocks
    assert whole.attributes["comptoir.actual_kv_blocks"] == 3
    assert "error.type" not in whole.attributes
    times = [
        (part.name, part.start_time // 1_000 - 1_000_000, part.end_time // 1_000 - 1_000_000)
        for part in parts
    ]
    assert times == [("queue", 100, 200), ("prefill", 200, 400), ("decode", 400, 1_000)]


def test_a_generation_without_a_token_has_no_parts_and_a_failure_is_an_error(ended: list[Any]) -> None:
    ending = Ending(Outcome.ENGINE_FAILED, Reason.ENGINE_FAILED)
    GenerationSpans("tiny-eu", operation="chat").ended(replace(_EVENT, counts=Counts(), ending=ending))
    (whole,) = ended
    assert whole.status.status_code.name == "ERROR"
    assert whole.attributes["error.type"] == "ENGINE_FAILED"
