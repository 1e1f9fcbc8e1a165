"""Telemetry: nothing is exported or shown unless an address is given."""

import json
import subprocess
import sys
import threading

import pytest
from opentelemetry import metrics
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from services.kernel.identity import Identity
from services.runtime import logs, telemetry
from services.runtime.metrics.registry import emitter
from services.runtime.settings import MeteredSettings
from services.runtime.tracing import SPANS
from tests.ports import free_port
from tests.services.runtime.metrics.collecting import collected

_SETTINGS = (
    "from services.runtime.settings import MeteredSettings\n"
    "from services.runtime.metrics.registry import emitter, router, shared\n"
    "catalog = {'regions': [{'number': 1, 'name': 'eu-fr'}], 'models': ["
    "{'number': 1, 'name': 'tiny', 'context_tokens': 8, 'max_output_tokens': 8}]}\n"
    "def settings(**more):\n"
    "    return MeteredSettings.model_validate({'region': 'eu-fr', 'catalog': catalog, **more})\n"
)


def _metered(**more: object) -> MeteredSettings:
    model = {"number": 1, "name": "tiny", "context_tokens": 8, "max_output_tokens": 8}
    catalog = {"regions": [{"number": 1, "name": "eu-fr"}], "models": [model]}
    return MeteredSettings.model_validate({"region": "eu-fr", "catalog": catalog, **more})


def test_without_an_address_there_is_no_exporter_and_instruments_do_nothing() -> None:
    script = (
        "import sys, threading\n"
        "from services.runtime import telemetry\n"
        + _SETTINGS
        + "kept = telemetry.configure(settings(), 'edge')\n"
        "kept.show()\n"
        "telemetry.counter(shared.USAGE_RECORDED).add(1)\n"
        "telemetry.histogram(shared.RPC_DURATION).record(1.0)\n"
        "telemetry.gauge(emitter.SIZE, read=lambda: 1.0)\n"
        "telemetry.read_counter(shared.USAGE_RECORDED, read=lambda: 1.0)\n"
        "kept.shutdown()\n"
        "assert not [name for name in sys.modules if 'exporter.' in name]\n"
        "assert threading.active_count() == 1\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=30)


def test_with_an_address_providers_are_made_and_a_collector_that_is_away_holds_nothing_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    meters: list[object] = []
    monkeypatch.setattr(metrics, "set_meter_provider", meters.append)
    monkeypatch.setattr(telemetry, "_SHUTDOWN_MILLISECONDS", 50)
    hangs = threading.Event()
    monkeypatch.setattr(BatchSpanProcessor, "shutdown", lambda _: hangs.wait(60))
    sent = {"otlp_endpoint": "http://127.0.0.1:9", "is_otlp_insecure": True, "trace_ratio": 1}
    kept = telemetry.configure(_metered(telemetry=sent), "router")
    attributes = meters[0]._sdk_config.resource.attributes  # type: ignore[attr-defined] # a provider
    assert attributes["service.name"] == "comptoir-router"
    assert attributes["comptoir.region"] == "eu-fr"
    assert SPANS.is_sampled(Identity(0, 2**64 - 1))
    kept.shutdown()
    assert not hangs.is_set()
    assert not SPANS.is_sampled(Identity(0, 0))
    hangs.set()


def test_metrics_and_spans_have_one_bound_together_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telemetry, "_SHUTDOWN_MILLISECONDS", 1_000)
    monkeypatch.setattr(metrics, "set_meter_provider", lambda _: None)
    hangs, begun = threading.Event(), threading.Semaphore(0)

    def hang(*_: object, **__: object) -> None:
        begun.release()
        hangs.wait(60)

    monkeypatch.setattr(BatchSpanProcessor, "shutdown", hang)
    monkeypatch.setattr(MeterProvider, "shutdown", hang)
    sent = {"otlp_endpoint": "http://127.0.0.1:9", "is_otlp_insecure": True, "trace_ratio": 1}
    kept = telemetry.configure(_metered(telemetry=sent), "router")
    ending = threading.Thread(target=kept.shutdown)
    ending.start()
    # Neither waits for the other.
    assert begun.acquire(timeout=30)
    assert begun.acquire(timeout=30)
    ending.join(30)
    assert not ending.is_alive()
    hangs.set()


@pytest.mark.parametrize("is_shown", [True, False])
def test_a_process_whose_collector_is_away_ends_in_time_without_an_error(is_shown: bool) -> None:
    script = (
        "import sys, time\n"
        "from services.kernel.identity import Identity\n"
        "from services.runtime import logs, telemetry\n"
        "from services.runtime.tracing import SPANS\n" + _SETTINGS + "logs.configure('router', 'info')\n"
        "sent = {'otlp_endpoint': f'http://127.0.0.1:{sys.argv[1]}', 'is_otlp_insecure': True,"
        " 'trace_ratio': 1, 'metric_interval_seconds': 1}\n"
        "shown = {'metrics_listen': {'port': 0}} if sys.argv[2] == 'True' else {}\n"
        "kept = telemetry.configure(settings(telemetry=sent, **shown), 'router')\n"
        "telemetry.counter(shared.USAGE_RECORDED).add(1)\n"
        "kept.show()\n"
        "began = time.monotonic()\n"
        "kept.shutdown()\n"
        "print(time.monotonic() - began)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(free_port()), str(is_shown)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert {(line["event"], line["level"]) for line in lines} <= {("telemetry_not_sent", "warning")}, lines
    assert float(done.stdout) < 30


def test_a_gauge_that_cannot_be_read_is_told_once_and_spoils_no_other(
    capfd: pytest.CaptureFixture[str],
) -> None:
    logs.configure("emitter", "info")

    def unreadable() -> float:
        raise ValueError("canary-77b1")

    with collected() as shown:
        telemetry.gauge(emitter.SIZE, read=unreadable)
        telemetry.gauge(emitter.EVENTS, read=lambda: 3.0)
        for _ in range(3):
            assert shown.value(emitter.EVENTS.name) == 3
            assert shown.value(emitter.SIZE.name) is None
    lines = [json.loads(line) for line in capfd.readouterr().err.splitlines()]
    (told,) = [line for line in lines if line["event"] == "gauge_unreadable"]
    assert (told["kind"], told["error_type"]) == (emitter.SIZE.name, "ValueError")
    assert "canary-77b1" not in json.dumps(lines)


def test_without_a_share_no_spans_are_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "set_meter_provider", lambda _: None)
    monkeypatch.setattr(telemetry, "_SHUTDOWN_MILLISECONDS", 50)
    sent = {"otlp_endpoint": "http://127.0.0.1:9", "is_otlp_insecure": True, "trace_ratio": 0}
    kept = telemetry.configure(_metered(telemetry=sent), "router")
    assert kept.spans is None
    assert not SPANS.is_sampled(Identity(0, 0))
    kept.shutdown()


def test_what_is_measured_is_shown_under_its_name_and_its_alias() -> None:
    script = (
        "import httpx\n"
        "from services.runtime import telemetry\n"
        "from services.runtime.metrics.aliases import Aliases\n"
        + _SETTINGS
        + "names, labels = {'comptoir_rpc_duration_seconds': 'vllm:time_seconds'}, {'method': 'model_name'}\n"
        "aliases = Aliases(names, labels)\n"
        "kept = telemetry.configure(settings(metrics_listen={'port': 0}), 'edge', aliases=aliases)\n"
        "duration = telemetry.histogram(shared.RPC_DURATION)\n"
        "duration.record(0.03, {'method': 'a'})\n"
        "telemetry.gauge(emitter.SIZE, read=lambda: 7.0)\n"
        "kept.show()\n"
        "url = f'http://127.0.0.1:{kept._endpoint.port}/metrics'\n"
        "print(httpx.get(url, trust_env=False).text)\n"
        "kept.shutdown()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], check=True, timeout=60, capture_output=True, text=True
    )
    lines = done.stdout.splitlines()
    assert 'comptoir_rpc_duration_seconds_bucket{le="0.025",method="a"} 0.0' in lines
    assert 'comptoir_rpc_duration_seconds_bucket{le="0.05",method="a"} 1.0' in lines
    assert 'vllm:time_seconds_bucket{le="0.05",model_name="a"} 1.0' in lines
    assert 'vllm:time_seconds_count{model_name="a"} 1.0' in lines
    assert "comptoir_spool_size_bytes 7.0" in lines
    assert any(line.startswith("process_resident_memory_bytes ") for line in lines)
    assert 'service_name="comptoir-edge"' in done.stdout


def test_what_is_counted_is_shown_by_its_attributes_however_many_count_it() -> None:
    script = (
        "import httpx\n"
        "from services.runtime import telemetry\n"
        + _SETTINGS
        + "kept = telemetry.configure(settings(metrics_listen={'port': 0}), 'router')\n"
        "for _ in range(3):\n"
        "    counted = telemetry.counter(router.ADMISSIONS)\n"
        "    counted.add(2, {'reason': 'NO_REPLICA'})\n"
        "counted.add(1, {'reason': 'UNSPECIFIED'})\n"
        "telemetry.counter(shared.USAGE_RECORDED)\n"
        "kept.show()\n"
        "url = f'http://127.0.0.1:{kept._endpoint.port}/metrics'\n"
        "print(httpx.get(url, trust_env=False).text)\n"
        "kept.shutdown()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], check=True, timeout=30, capture_output=True, text=True
    )
    shown = [line for line in done.stdout.splitlines() if line.startswith("comptoir_router_admissions")]
    values = {line.split('reason="')[1].split('"')[0]: float(line.split()[-1]) for line in shown}
    assert values == {"NO_REPLICA": 6.0, "UNSPECIFIED": 1.0}
    assert "comptoir_usage_recorded_total{" not in done.stdout
