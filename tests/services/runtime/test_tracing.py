"""Spans: one trace for a request in all processes, and no attribute that is not declared."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.resources import Resource

from services.edge.domain.openai.paths import PATHS
from services.generator.domain.terminal_event import Outcome
from services.kernel.identity import Identity
from services.runtime.span_attributes import ATTRIBUTES, Value
from services.runtime.tracing import Kind, Moment, Span, Spans, first_span_number, permitted

_ID = Identity(0x0102030405060708, 0x0A0B0C0D0E0F1011)
_MODELS = frozenset({"tiny-eu"})


def _spans(*, ratio: float = 1.0) -> tuple[Spans, list[Any]]:
    ended: list[Any] = []
    spans = Spans()
    spans.open(ended.append, Resource({}), ratio=ratio, models=_MODELS)
    return spans, ended


def test_the_trace_is_the_request_and_the_first_span_the_parent_of_other_processes() -> None:
    edge, of_edge = _spans()
    router, of_router = _spans()
    edge.end(_ID, Span("other", 1_000, 500, {}, is_first=True, moments=[Moment("first_text", 1_200)]))
    router.end(_ID, Span("admit", 1_050, 20, {}))
    (first,), (admit,) = of_edge, of_router
    assert f"{first.context.trace_id:032x}" == _ID.hex
    assert admit.context.trace_id == first.context.trace_id
    assert first.parent is None
    assert admit.parent.span_id == first.context.span_id == first_span_number(_ID)
    assert admit.context.span_id != first.context.span_id
    assert (first.start_time, first.end_time) == (1_000_000, 1_500_000)
    assert [(event.name, event.timestamp) for event in first.events] == [("first_text", 1_200_000)]


def test_parts_are_within_their_span() -> None:
    spans, ended = _spans()
    spans.end(_ID, Span("chat tiny-eu", 0, 9, {}, parts=(Span("queue", 0, 4, {}, Kind.INTERNAL),)))
    whole, queue = ended
    assert queue.parent.span_id == whole.context.span_id
    assert queue.kind.name == "INTERNAL"
    assert whole.kind.name == "SERVER"


def test_an_error_is_a_status_without_a_description_and_no_exception() -> None:
    spans, ended = _spans()
    spans.end(_ID, Span("admit", 0, 1, {}, error="ENGINE_FAILED"))
    assert ended[0].status.status_code.name == "ERROR"
    assert ended[0].status.description is None
    assert not ended[0].events


def test_nothing_is_sampled_before_spans_go_anywhere_nor_after() -> None:
    spans = Spans()
    assert not spans.is_sampled(Identity(0, 0))
    spans, ended = _spans()
    spans.close()
    spans.end(_ID, Span("admit", 0, 1, {}))
    assert not ended


@given(st.floats(0, 1), st.integers(0, 2**64 - 1))
def test_two_processes_of_one_ratio_choose_the_same_requests(ratio: float, low: int) -> None:
    one, other = _spans(ratio=ratio)[0], _spans(ratio=ratio)[0]
    assert one.is_sampled(Identity(7, low)) == other.is_sampled(Identity(9, low))
    assert not _spans(ratio=0)[0].is_sampled(Identity(7, low))
    assert _spans(ratio=1)[0].is_sampled(Identity(7, low))


@given(st.text(), st.text())
def test_no_text_is_an_attribute_whatever_its_name(name: str, value: str) -> None:
    known = {word for one in ATTRIBUTES.values() for word in one.words} | _MODELS
    for each in (*ATTRIBUTES, name):
        assert set(permitted({each: value}, _MODELS).values()) <= known
        assert not permitted({each: [value]}, _MODELS) or value in known


def test_declared_numbers_and_words_are_permitted() -> None:
    good: dict[str, Value] = {"comptoir.attempt": 2, "http.route": "other", "gen_ai.request.model": "tiny-eu"}
    assert permitted({**good, "api_key": 1, "gen_ai.operation.name": 3}, _MODELS) == good


def test_words_are_those_of_the_code() -> None:
    assert set(ATTRIBUTES["http.route"].words) == {*PATHS.values(), "other"}
    outcomes = {outcome.name.lower() for outcome in Outcome}
    assert set(ATTRIBUTES["gen_ai.response.finish_reasons"].words) == outcomes
