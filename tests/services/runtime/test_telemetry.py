"""Telemetry: nothing is exported unless an address is given."""

import subprocess
import sys

import pytest
from opentelemetry import metrics, trace

from services.runtime import telemetry
from services.runtime.settings import TelemetrySettings


def test_without_an_address_there_is_no_exporter_and_instruments_do_nothing() -> None:
    script = (
        "import sys, threading\n"
        "from services.runtime import telemetry\n"
        "from services.runtime.settings import TelemetrySettings\n"
        "kept = telemetry.configure(TelemetrySettings(), 'edge')\n"
        "telemetry.counter('comptoir.usage.recorded', unit='{event}', description='x').add(1)\n"
        "telemetry.histogram('comptoir.rpc.duration', unit='s', description='x').record(1.0)\n"
        "telemetry.gauge('comptoir.spool.size', unit='By', description='x', read=lambda: 1.0)\n"
        "telemetry.read_counter('comptoir.usage.recorded', unit='1', description='x', read=lambda: 1.0)\n"
        "kept.shutdown()\n"
        "assert not [name for name in sys.modules if 'exporter.otlp' in name]\n"
        "assert threading.active_count() == 1\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=30)


def test_with_an_address_providers_are_made_and_shut_down(monkeypatch: pytest.MonkeyPatch) -> None:
    meters: list[object] = []
    tracers: list[object] = []
    monkeypatch.setattr(metrics, "set_meter_provider", meters.append)
    monkeypatch.setattr(trace, "set_tracer_provider", tracers.append)
    monkeypatch.setattr(telemetry, "_SHUTDOWN_MILLISECONDS", 50)
    monkeypatch.setattr("opentelemetry.sdk.trace.export.BatchSpanProcessor.shutdown", lambda self: None)
    settings = TelemetrySettings(otlp_endpoint="http://127.0.0.1:9", is_otlp_insecure=True)
    kept = telemetry.configure(settings, "router")
    assert len(meters) == len(tracers) == 1
    assert tracers[0].resource.attributes["service.name"] == "comptoir-router"  # type: ignore[attr-defined] # a provider
    kept.shutdown()
