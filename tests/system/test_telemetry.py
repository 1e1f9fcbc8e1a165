"""A whole stack under a collector: the same metrics both ways, one trace per request, and no text in any."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from prometheus_client.parser import text_string_to_metric_families

from services.kernel.identity import Identity
from services.runtime.metrics.metric import Counter, Gauge
from services.runtime.metrics.registry.all import METRICS, of_process
from services.runtime.metrics.registry.shared import EVERY
from services.runtime.span_attributes import ATTRIBUTES
from services.runtime.tracing import first_span_number
from tests.system.otlp_receiver import Receiver, receiving
from tests.system.stack_process import Stack, eventually, running_stack

pytestmark = pytest.mark.system

_CANARY = "kanarienvogel4711"
# By series, as both exports can be written.
_Series = dict[tuple[str, frozenset[tuple[str, str]]], float]


class _World:
    def __init__(self, stack: Stack, receiver: Receiver) -> None:
        self.stack = stack
        self.receiver = receiver
        shown: dict[str, str] = stack.status()["metrics"]
        self.urls = {name: url for name, url in shown.items() if name in EVERY}

    def ask(self, body: Any, **more: Any) -> httpx.Response:
        headers = {"authorization": f"Bearer {self.stack.api_key}", **more.pop("headers", {})}
        url = f"{self.stack.base_url}{more.pop('path', '/chat/completions')}"
        return httpx.post(url, json=body, headers=headers, timeout=60, trust_env=False, **more)

    def chat(self, **more: Any) -> dict[str, Any]:
        messages = [{"role": "user", "content": _CANARY}]
        return {"model": self.stack.model, "messages": messages, "max_tokens": 4, **more}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[_World]:
    folder: Path = tmp_path_factory.mktemp("telemetry")
    with receiving() as receiver:
        telemetry = {
            "otlp_endpoint": f"http://127.0.0.1:{receiver.port}",
            "is_otlp_insecure": True,
            "metric_interval_seconds": 1,
            "trace_ratio": 1,
        }
        settings = folder / "settings.yaml"
        settings.write_text(yaml.safe_dump({"telemetry": telemetry}))
        arguments = ("--engine", "simulated", "--console", "--config", str(settings))
        with running_stack(folder / "data", *arguments) as stack:
            yield _World(stack, receiver)


def test_a_request_is_one_trace_over_all_processes_that_has_its_identity(world: _World) -> None:
    answer = world.ask(world.chat(), headers={"traceparent": f"00-{'ab' * 16}-{'cd' * 8}-01"})
    assert answer.status_code == 200, answer.text
    request_id = answer.headers["x-request-id"].replace("-", "")
    services = {"comptoir-edge", "comptoir-router", "comptoir-generator"}

    def is_whole(found: dict[str, list[Any]]) -> bool:
        # A process that stood still may send its spans in several parts.
        return set(found) == services and len(found["comptoir-generator"]) >= 4

    trace = eventually(lambda: world.receiver.trace(request_id), is_whole, 60)
    (edge,), (router,) = trace["comptoir-edge"], trace["comptoir-router"]
    identity = Identity.from_hex(request_id)
    assert identity is not None
    assert int.from_bytes(edge.span_id, "big") == first_span_number(identity)
    assert (edge.name, router.name) == ("/v1/chat/completions", "admit")
    assert not edge.parent_span_id
    parts = {span.name: span for span in trace["comptoir-generator"]}
    generation = parts.pop(f"chat {world.stack.model}")
    assert router.parent_span_id == generation.parent_span_id == edge.span_id
    assert set(parts) == {"queue", "prefill", "decode"}
    assert {span.parent_span_id for span in parts.values()} == {generation.span_id}
    for span in (router, generation):
        assert edge.start_time_unix_nano <= span.start_time_unix_nano <= edge.end_time_unix_nano
    counts = {one.key: one.value.int_value for one in generation.attributes}
    assert counts["gen_ai.usage.output_tokens"] == answer.json()["usage"]["completion_tokens"]
    # What a client says of traces of its own is not taken.
    assert not world.receiver.trace("ab" * 16)


def _exported(metrics: list[Metric]) -> _Series:
    found: _Series = {}
    for metric in metrics:
        name = METRICS[metric.name].prometheus_name
        points: Iterable[Any] = (
            metric.histogram.data_points or metric.sum.data_points or metric.gauge.data_points
        )
        for point in points:
            labels = frozenset(
                (one.key.replace(".", "_"), one.value.string_value or str(one.value.int_value))
                for one in point.attributes
            )
            if metric.HasField("histogram"):
                found[f"{name}_count", labels] = point.count
            else:
                found[name, labels] = point.as_double or point.as_int
    return found


def _scraped(url: str) -> _Series:
    text = httpx.get(url, timeout=30, trust_env=False).text
    return {
        (sample.name, frozenset((key, value) for key, value in sample.labels.items() if value)): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name.startswith(("comptoir_", "gen_ai_", "http_"))
        and not sample.name.endswith(("_bucket", "_sum", "_created"))
    }


def _grows(name: str) -> bool:
    return name.endswith(("_total", "_count"))


@pytest.mark.parametrize("process", EVERY)
def test_both_exports_show_the_same_declared_metrics_of_a_process(world: _World, process: str) -> None:
    world.ask(world.chat(stream=True))
    exports = world.receiver.exports[f"comptoir-{process}"]

    def next_export() -> _Series:
        count = len(exports)
        # One that begins now may have been read before.
        return _exported(eventually(lambda: exports[count + 1 :], bool, 60)[0])

    declared = {metric.prometheus_name: metric for metric in of_process(process).values()}
    for _ in range(10):
        before, shown, after = next_export(), _scraped(world.urls[process]), next_export()
        if set(before) == set(shown) == set(after):
            break
    assert set(before) == set(shown) == set(after)
    for (name, labels), value in shown.items():
        metric = declared[name.removesuffix("_count")]
        attributes = {attribute.label: attribute for attribute in metric.attributes}
        assert all(attributes[label].admits(word) for label, word in labels), (name, labels)
        if _grows(name):
            assert before[name, labels] <= value <= after[name, labels], (name, labels)
    names = {name for name, _ in shown}
    always = {
        metric.prometheus_name
        for metric in declared.values()
        if isinstance(metric, Gauge) and not metric.condition and metric.name != "comptoir.process.unready"
    }
    assert always <= names
    counters = {metric.prometheus_name for metric in declared.values() if isinstance(metric, Counter)}
    # A console counts nothing: it takes no calls of processes.
    assert bool(counters & names) is (process != "console")
    assert shown["comptoir_process_ready", frozenset()] == 1


def _send_canaries(world: _World) -> None:
    words = {"content": _CANARY, "role": "user", "name": _CANARY}
    tool = {"type": "function", "function": {"name": _CANARY, "parameters": {"type": "object"}}}
    schema = {"type": "json_schema", "json_schema": {"name": _CANARY, "schema": {"title": _CANARY}}}
    bodies: list[Any] = [
        world.chat(user=_CANARY, stop=[_CANARY], metadata={_CANARY: _CANARY}),
        world.chat(messages=[words], stream=True),
        world.chat(tools=[tool]),
        world.chat(response_format=schema),
        world.chat(model=_CANARY),
        world.chat(**{_CANARY: 1}),
        world.chat(service_tier=_CANARY),
        [_CANARY],
    ]
    names = ("x-request-id", "user-agent", "tracestate", "baggage", "x-forwarded-for", "referer", _CANARY)
    headers = dict.fromkeys(names, _CANARY)
    headers["traceparent"] = f"00-{_CANARY.encode().hex()[:32]:0<32}-{'cd' * 8}-01"
    for body in bodies:
        world.ask(body, headers=headers)
    world.ask({}, path=f"/{_CANARY}?{_CANARY}={_CANARY}")
    world.ask(world.chat(), headers={"authorization": f"Bearer {_CANARY}"})
    world.ask(world.chat(), headers={"authorization": f"Bearer cptr_eu-fr_{_CANARY}"})
    world.ask({"model": world.stack.model, "input": _CANARY}, path="/responses")
    world.ask({"model": world.stack.model, "prompt": _CANARY}, path="/completions")


def _places(world: _World) -> list[bytes]:
    pages = [httpx.get(url, timeout=30, trust_env=False).content for url in world.urls.values()]
    return [*list(world.receiver.raw), *pages]


def test_no_word_of_a_request_is_in_a_span_a_metric_or_a_resource(world: _World) -> None:
    _send_canaries(world)
    answer = world.ask(world.chat())
    request_id = answer.headers["x-request-id"].replace("-", "")
    # Spans of all requests before leave with or before those of the last one.
    eventually(lambda: world.receiver.trace(request_id), lambda found: len(found) == 3, 60)
    counts = {name: len(exports) for name, exports in world.receiver.exports.items()}
    for name, count in counts.items():
        eventually(lambda name=name: len(world.receiver.exports[name]), lambda now, n=count: now > n + 1, 60)  # type: ignore[misc]
    hidden = (_CANARY.encode(), _CANARY.encode().hex().encode(), _CANARY.encode().hex().upper().encode())
    places = _places(world)
    assert len(places) > 20
    assert not [place for place in places if any(word in place for word in hidden)]
    assert not any(_CANARY.encode() in span.trace_id for _, span in world.receiver.spans)
    for _, span in world.receiver.spans:
        assert {one.key for one in span.attributes} <= set(ATTRIBUTES), span.name
        assert not [event.name for event in span.events if event.attributes]
        assert not span.status.message


def test_what_is_looked_for_is_found_where_it_is(world: _World) -> None:
    provider = TracerProvider()
    exporter = OTLPSpanExporter(endpoint=f"http://127.0.0.1:{world.receiver.port}", insecure=True)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    with provider.get_tracer("x").start_as_current_span("x") as span:
        span.set_attribute("prompt", _CANARY + "-control")
    provider.shutdown()
    assert any(f"{_CANARY}-control".encode() in place for place in _places(world))
