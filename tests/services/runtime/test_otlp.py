"""Metrics and spans reach a collector that asks for a certificate, also when it was renewed."""

import json
import shutil
from collections.abc import Iterator
from functools import partialmethod
from pathlib import Path

import pytest
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import (
    InMemoryMetricReader,
    MetricExportResult,
    MetricsData,
    PeriodicExportingMetricReader,
)
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

from services.runtime import logs
from services.runtime.otlp import SentMetrics, SentSpans
from services.runtime.settings_error import SettingsError
from services.runtime.telemetry_settings import TelemetrySettings
from tests.services.runtime.certificates import Authority
from tests.system.otlp_receiver import Receiver, receiving
from tests.system.stack_process import eventually


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "pki")


@pytest.fixture
def collector(authority: Authority) -> Iterator[Receiver]:
    with receiving(authority.files("collector", dns="localhost")) as receiver:
        yield receiver


def settings_for(collector: Receiver, authority: Authority, **more: object) -> TelemetrySettings:
    tls = authority.files("router").model_dump() | more
    return TelemetrySettings.model_validate({"otlp_endpoint": f"localhost:{collector.port}", "otlp_tls": tls})


def measured() -> MetricsData:
    reader = InMemoryMetricReader()
    provider = MeterProvider(metric_readers=[reader])
    provider.get_meter("comptoir").create_counter("tried").add(1)
    data = reader.get_metrics_data()
    provider.shutdown()
    assert data is not None
    return data


def test_metrics_and_spans_arrive_with_a_certificate(collector: Receiver, authority: Authority) -> None:
    settings = settings_for(collector, authority)
    reader = PeriodicExportingMetricReader(SentMetrics(settings), export_interval_millis=600_000)
    meters = MeterProvider(metric_readers=[reader])
    meters.get_meter("comptoir").create_counter("tried").add(1)
    assert meters.force_flush(30_000)
    meters.shutdown()
    traces = TracerProvider()
    traces.add_span_processor(SimpleSpanProcessor(SentSpans(settings)))
    traces.get_tracer("comptoir").start_span("asked").end()
    traces.shutdown()
    exports = collector.exports.values()
    assert {metric.name for every in exports for one in every for metric in one} == {"tried"}
    assert [span.name for _, span in collector.spans] == ["asked"]


def test_a_renewed_certificate_is_shown_at_the_next_export(collector: Receiver, authority: Authority) -> None:
    settings = settings_for(collector, authority)
    sent = SentMetrics(settings)
    assert sent.export(measured(), 30_000) is MetricExportResult.SUCCESS
    before, second = sent._renewed.now(), authority.files("second")
    assert settings.otlp_tls is not None
    assert settings.otlp_tls.certificate_file is not None
    assert settings.otlp_tls.private_key_file is not None
    shutil.copy(second.certificate_file, settings.otlp_tls.certificate_file)
    shutil.copy(second.private_key_file, settings.otlp_tls.private_key_file)
    assert sent.export(measured(), 30_000) is MetricExportResult.SUCCESS
    assert sent._renewed.now() is not before
    sent.shutdown()


def test_a_collector_that_is_away_is_a_warning_and_one_that_is_back_is_told(
    authority: Authority, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    logs.configure("router", "info")
    monkeypatch.setattr(OTLPMetricExporter, "__init__", partialmethod(OTLPMetricExporter.__init__, timeout=1))
    files = authority.files("collector", dns="localhost")
    with receiving(files) as gone:
        settings = settings_for(gone, authority)
    sent = SentMetrics(settings)
    for _ in range(2):
        assert sent.export(measured(), 30_000) is MetricExportResult.FAILURE
    with receiving(files, gone.port):
        assert eventually(
            lambda: sent.export(measured(), 30_000), lambda it: it is MetricExportResult.SUCCESS, 60
        )
    sent.shutdown()
    assert sent.export(measured(), 30_000) is MetricExportResult.FAILURE
    lines = [json.loads(line) for line in capfd.readouterr().err.splitlines()]
    told = [(line["event"], line["level"], line["kind"]) for line in lines]
    assert told[:2] == [
        ("telemetry_not_sent", "warning", "metrics"),
        ("telemetry_sent_again", "info", "metrics"),
    ], lines
    assert not [line for line in lines if line["level"] == "error"]


def test_files_that_are_no_use_stop_the_start_with_a_sentence(
    collector: Receiver, authority: Authority, tmp_path: Path
) -> None:
    wrong = settings_for(collector, authority, ca_file=tmp_path / "none.pem")
    for sent in (SentMetrics, SentSpans):
        with pytest.raises(SettingsError, match="telemetry"):
            sent(wrong)
