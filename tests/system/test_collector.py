"""The real collector takes what a whole stack sends over mutual TLS: its names, one trace, and no text."""

import re
import socket
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from services.runtime.addresses import TlsFiles
from services.runtime.metrics.registry.all import METRICS, of_process
from services.runtime.metrics.registry.shared import EVERY
from tests.collector.build import built, version
from tests.services.runtime.certificates import Authority
from tests.system.collector_process import CONFIGURATION, CollectorProcess
from tests.system.prometheus_process import running_prometheus
from tests.system.stack_process import Stack, eventually, running_stack

pytestmark = pytest.mark.system

REPOSITORY: Final = Path(__file__).parents[2]
CANARY: Final = "kanarienvogel9913"
SECONDS: Final = 120


class World:
    """A stack that sends to a collector, and one request that it has answered."""

    def __init__(self, stack: Stack, collector: CollectorProcess, files: TlsFiles) -> None:
        self.stack, self.collector, self.files = stack, collector, files
        headers = {"authorization": f"Bearer {stack.api_key}"}
        body = {"model": stack.model, "messages": [{"role": "user", "content": CANARY}], "max_tokens": 4}
        answer = httpx.post(
            f"{stack.base_url}/chat/completions", json=body, headers=headers, timeout=60, trust_env=False
        )
        assert answer.status_code == 200, answer.text
        self.request_id = answer.headers["x-request-id"].replace("-", "")

    def trace(self) -> dict[str, list[dict[str, Any]]]:
        """Returns the spans of the request by service."""
        found: dict[str, list[dict[str, Any]]] = {}
        for service, scope in self.collector.came("resourceSpans"):
            spans = [span for span in scope["spans"] if span["traceId"] == self.request_id]
            if spans:
                found.setdefault(service, []).extend(spans)
        return found

    def names(self) -> dict[str, set[str]]:
        """Returns the names of the metrics that came, by service."""
        found: dict[str, set[str]] = {}
        for service, scope in self.collector.came("resourceMetrics"):
            found.setdefault(service, set()).update(metric["name"] for metric in scope["metrics"])
        return found


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("collector")
    authority = Authority(folder / "pki")
    collector = CollectorProcess(folder, authority.files("otel-collector", dns="localhost"))
    files = authority.files("process")
    telemetry = {
        "otlp_endpoint": f"localhost:{collector.port}",
        "otlp_tls": files.model_dump(mode="json", exclude_none=True),
        "metric_interval_seconds": 1,
        "trace_ratio": 1,
    }
    settings = folder / "settings.yaml"
    settings.write_text(yaml.safe_dump({"telemetry": telemetry}))
    collector.start()
    try:
        eventually(collector.is_listening, bool, SECONDS)
        with running_stack(
            folder / "data", "--engine", "simulated", "--console", "--config", str(settings)
        ) as stack:
            yield World(stack, collector, files)
    finally:
        status = collector.stop()
    assert status == 0, collector.log.read_text()


def configurations() -> list[Path]:
    """Every configuration of a collector that this tree ships."""
    found = [it for it in (REPOSITORY / "deploy").rglob("*.y*ml") if "\nexporters:" in it.read_text()]
    assert CONFIGURATION in found
    return found


@pytest.mark.parametrize("file", configurations(), ids=lambda file: str(file.relative_to(REPOSITORY)))
def test_the_collector_finds_nothing_wrong_in_a_configuration(file: Path) -> None:
    done = subprocess.run(
        (str(built()), "validate", f"--config={file}"),
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_what_is_tried_is_the_version_that_compose_runs() -> None:
    compose = (REPOSITORY / "deploy" / "compose.yaml").read_text()
    assert f"otel/opentelemetry-collector:{version()}}}" in compose


def test_a_request_is_one_trace_of_all_processes_that_has_its_identity(world: World) -> None:
    services = {"comptoir-edge", "comptoir-router", "comptoir-generator"}

    def is_whole(trace: dict[str, list[dict[str, Any]]]) -> bool:
        # Each process sends its spans when it has some: a service may have come without all of its own.
        edges = {span["spanId"] for span in trace.get("comptoir-edge", [])}
        return all(
            edges & {span.get("parentSpanId") for span in trace.get(service, [])}
            for service in services - {"comptoir-edge"}
        )

    trace = eventually(world.trace, is_whole, SECONDS)
    assert set(trace) == services
    assert len(trace["comptoir-edge"]) == 1


@pytest.mark.parametrize("process", EVERY)
def test_metrics_come_under_their_declared_names_and_are_shown_under_those_of_prometheus(
    world: World, process: str
) -> None:
    def came() -> set[str]:
        return world.names().get(f"comptoir-{process}", set())

    names = eventually(came, lambda found: "comptoir.build.info" in found, SECONDS)
    assert names <= set(of_process(process))
    wanted = {METRICS[name].prometheus_name for name in names}

    def shown() -> set[str]:
        text = httpx.get(
            f"http://127.0.0.1:{world.collector.shown_port}/metrics", timeout=60, trust_env=False
        ).text
        samples = (it for family in text_string_to_metric_families(text) for it in family.samples)
        own = (it for it in samples if it.labels.get("job") == f"comptoir/comptoir-{process}")
        return {it.name.removesuffix("_bucket") for it in own}

    eventually(lambda: wanted - shown(), lambda missing: not missing, SECONDS)


def test_prometheus_reads_of_the_collector_what_rules_and_dashboards_ask_for(
    world: World, tmp_path: Path
) -> None:
    page = (REPOSITORY / "docs" / "observability.md").read_text()
    (block,) = re.findall(r"```yaml\n(- job_name: collector\n.+?)```", page, re.DOTALL)
    (scraping,) = yaml.safe_load(block)
    scraping["static_configs"][0]["targets"] = [f"127.0.0.1:{world.collector.shown_port}"]
    with running_prometheus(tmp_path, [scraping]) as prometheus:

        def jobs() -> set[str]:
            return {it["metric"]["job"] for it in prometheus.instant('comptoir_build_info{region="eu-fr"}')}

        assert eventually(jobs, {f"comptoir-{it}" for it in EVERY}.__eq__, SECONDS)


def test_a_caller_without_a_certificate_is_refused(world: World) -> None:
    context = ssl.create_default_context(cafile=world.files.ca_file)
    with (
        socket.create_connection(("127.0.0.1", world.collector.port), timeout=SECONDS) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as asking,
        pytest.raises(ssl.SSLError, match="CERTIFICATE_REQUIRED"),
    ):
        # Under TLS 1.3 the refusal comes behind the handshake.
        asking.recv(1)


def test_nothing_that_the_collector_has_is_a_word_of_a_request(world: World) -> None:
    eventually(world.trace, lambda found: len(found) == 3, SECONDS)
    kept = [world.collector.file.read_bytes(), world.collector.log.read_bytes()]
    # What is looked for is found where it is.
    assert any(world.request_id.encode() in place for place in kept)
    assert not any(CANARY.encode() in place for place in kept)
