import asyncio
import json

import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from opentelemetry import metrics
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from services.generator.domain.bounds import Bounds
from services.generator.domain.terminal_event import Outcome
from services.generator.process import EngineLostError
from services.kernel.errors import Reason
from tests.contracts.engine_requests import until
from tests.services.generator.running import CANARY, RunningGenerator, reason_of


async def test_a_dead_engine_fails_the_request_and_stops_the_process(running: RunningGenerator) -> None:
    running.slow(answer_tokens=5000, itl_seconds=0.005)
    failing = asyncio.create_task(running.generate())
    await until(lambda: running.engine.load().output_tokens_total > 2, 5)
    running.engine.die()
    call = await failing
    assert call.text
    assert reason_of(call) is Reason.ENGINE_FAILED
    (event,) = await running.events()
    assert event.ending.outcome is Outcome.ENGINE_FAILED
    assert isinstance(await running.ended(), EngineLostError)


async def test_a_drain_lets_short_answers_end_and_sheds_long_ones(running: RunningGenerator) -> None:
    running.slow(answer_tokens=5000, itl_seconds=0.005)
    short = asyncio.create_task(running.generate(running.request(max_output_tokens=3)))
    long = asyncio.create_task(running.generate(running.request(max_output_tokens=200)))
    await until(lambda: running.generations.load().open_streams == 2, 5)
    assert await running.stop() is None
    assert (await short).finished.output_tokens == 3
    assert reason_of(await long) is Reason.REPLICA_DRAINING
    assert sorted(event.ending.outcome for event in running.sink.events) == [Outcome.LENGTH, Outcome.SHED]
    assert running.engine.unfinished_requests() == 0
    assert running.sink.is_closed


async def test_health_serves_until_the_engine_dies(running: RunningGenerator) -> None:
    stub = health_pb2_grpc.HealthStub(running.channel)
    assert (await stub.Check(health_pb2.HealthCheckRequest())).status == 1
    running.engine.die()
    assert isinstance(await running.ended(), EngineLostError)


@pytest.mark.parametrize("part", ["reports", "load_samples", "watch"])
async def test_a_part_that_ends_by_a_defect_is_told_and_the_process_drains_and_stops(
    unstarted: RunningGenerator, part: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    owner, method = {
        "reports": (unstarted.link, "run"),
        "load_samples": (unstarted.sink, "record_load"),
        "watch": (unstarted.engine, "check_health"),
    }[part]
    failing = asyncio.Event()

    async def fail_when_told(*_arguments: object) -> None:
        await failing.wait()
        raise ZeroDivisionError(CANARY)

    monkeypatch.setattr(owner, method, fail_when_told)
    unstarted.bounds = Bounds(drain_seconds=5.0, load_event_interval_seconds=0.01)
    unstarted.slow(itl_seconds=0.005)
    await unstarted.start()
    open_answer = asyncio.create_task(unstarted.generate())
    await until(lambda: unstarted.generations.load().open_streams == 1, 5)
    failing.set()
    assert isinstance(await unstarted.ended(), ZeroDivisionError)
    assert (await open_answer).finished.output_tokens == 40
    written = capfd.readouterr().out
    assert "part_failed" in written
    assert f"kind={part}" in written
    assert "engine_lost" not in written
    assert CANARY not in written


async def test_events_and_endings_that_are_given_up_are_exported(
    unstarted: RunningGenerator, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = InMemoryMetricReader()
    monkeypatch.setattr(metrics, "get_meter", MeterProvider(metric_readers=[reader]).get_meter)
    await unstarted.start()
    unstarted.recorder.refused_events, unstarted.recorder.failed_endings = 2, 3
    collected = reader.get_metrics_data()
    assert collected is not None
    (resource,) = json.loads(collected.to_json())["resource_metrics"]
    exported = {
        metric["name"]: (metric["data"]["data_points"][0]["value"], metric["data"]["is_monotonic"])
        for metric in resource["scope_metrics"][0]["metrics"]
        if metric["name"].startswith("comptoir.generator.e")
    }
    assert exported == {
        "comptoir.generator.events_refused": (2, True),
        "comptoir.generator.endings_failed": (3, True),
    }
