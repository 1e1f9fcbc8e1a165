"""OpenTelemetry's Collector under compose's own configuration, whose places alone are others here."""

import json
import socket
import subprocess
from pathlib import Path
from typing import Any, Final

import yaml

from services.runtime.addresses import TlsFiles
from tests.collector.build import built
from tests.ports import free_port
from tests.tied import tied

CONFIGURATION: Final = Path(__file__).parents[2] / "deploy" / "compose" / "otel-collector" / "config.yaml"
_STOP_SECONDS: Final = 60


class CollectorProcess:
    """Takes OTLP from who shows a certificate; writes what came as JSON, and shows it to Prometheus."""

    def __init__(self, folder: Path, tls: TlsFiles) -> None:
        self.port, self.shown_port, self.own_port = free_port(), free_port(), free_port()
        self.file = folder / "came.jsonl"
        self.log = folder / "collector.log"
        self._places = folder / "places.yaml"
        self._places.write_text(yaml.safe_dump(self._other_places(tls)))
        self._process: subprocess.Popen[bytes] | None = None

    def _other_places(self, tls: TlsFiles) -> dict[str, Any]:
        """What is merged over the configuration: places of here, and exporters that tests read."""
        files = {
            "cert_file": str(tls.certificate_file),
            "key_file": str(tls.private_key_file),
            "client_ca_file": str(tls.ca_file),
        }
        grpc = {"endpoint": f"127.0.0.1:{self.port}", "tls": files}
        own = {"pull": {"exporter": {"prometheus": {"host": "127.0.0.1", "port": self.own_port}}}}
        # As docs/observability.md says.
        prometheus = {"endpoint": f"127.0.0.1:{self.shown_port}", "add_metric_suffixes": True}
        return {
            "receivers": {"otlp": {"protocols": {"grpc": grpc}}},
            "exporters": {"file": {"path": str(self.file)}, "prometheus": prometheus},
            "service": {
                "telemetry": {"metrics": {"readers": [own]}},
                "pipelines": {
                    "traces": {"exporters": ["debug", "file"]},
                    "metrics": {"exporters": ["nop", "file", "prometheus"]},
                },
            },
        }

    def start(self) -> None:
        """Starts it and does not wait."""
        command = [str(built()), f"--config={CONFIGURATION}", f"--config={self._places}"]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(tied(command), stdout=log, stderr=log)

    def is_listening(self) -> bool:
        """True once it takes connections."""
        assert self._process is not None
        assert self._process.poll() is None, self.log.read_text()
        with socket.socket() as asking:
            asking.settimeout(5)
            return asking.connect_ex(("127.0.0.1", self.port)) == 0

    def came(self, kind: str) -> list[tuple[str, dict[str, Any]]]:
        """Returns each scope's part of what came, `resourceMetrics` or `resourceSpans`, by its service."""
        lines = self.file.read_text().split("\n")[:-1] if self.file.exists() else []
        return [
            (_service(resource), scope)
            for line in lines
            for resource in json.loads(line).get(kind, ())
            for scope in resource[kind.replace("resource", "scope")]
        ]

    def stop(self) -> int:
        """Asks it to end, and returns its status."""
        assert self._process is not None
        self._process.terminate()
        try:
            return self._process.wait(_STOP_SECONDS)
        finally:
            self._process.kill()
            self._process.wait(_STOP_SECONDS)


def _service(resource: dict[str, Any]) -> str:
    attributes = resource["resource"]["attributes"]
    return str(next(one["value"]["stringValue"] for one in attributes if one["key"] == "service.name"))
