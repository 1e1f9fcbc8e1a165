"""The span of an admission, and which decisions have one."""

from dataclasses import replace
from typing import Any

import pytest
from opentelemetry.sdk.resources import Resource

from services.kernel.errors import Reason
from services.router.adapters import emitter_log
from services.router.adapters.admission_spans import admission_span
from services.router.adapters.emitter_log import EmitterLog
from services.runtime.tracing import Spans
from tests.services.router.adapters.test_emitter_log import EVENT, MemoryEmitter

_ADMITTED = replace(EVENT, reason=Reason.UNSPECIFIED, replica=7, tickets=1)


def test_a_decision_is_a_span_with_its_numbers_and_the_reason_of_a_refusal() -> None:
    admitted = admission_span(_ADMITTED, {9: "tiny-eu"})
    assert (admitted.name, admitted.is_first) == ("admit", False)
    assert admitted.started_at_microseconds == EVENT.started_at_microseconds
    assert admitted.duration_microseconds == 8
    assert admitted.attributes["gen_ai.request.model"] == "tiny-eu"
    assert admitted.attributes["comptoir.replica"] == 7
    assert admitted.attributes["comptoir.predicted_kv_blocks"] == EVENT.predicted_kv_blocks
    assert "error.type" not in admitted.attributes
    refused = admission_span(EVENT, {})
    assert refused.attributes["error.type"] == "KEY_EXPIRED"
    assert "gen_ai.request.model" not in refused.attributes


async def test_every_decision_has_one_span_refused_or_not(monkeypatch: pytest.MonkeyPatch) -> None:
    ended: list[Any] = []
    spans = Spans()
    spans.open(ended.append, Resource({}), ratio=1.0, models=frozenset())
    monkeypatch.setattr(emitter_log, "SPANS", spans)
    log = EmitterLog(MemoryEmitter(), {})  # type: ignore[arg-type]
    await log.record(_ADMITTED)
    log.record_refusal(EVENT)
    log.record_refusal(replace(EVENT, reason=Reason.NO_REPLICA))
    await log.close()
    assert [span.attributes.get("error.type") for span in ended] == [None, "KEY_EXPIRED", "NO_REPLICA"]
