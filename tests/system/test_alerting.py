"""An alert on its way, with everything real: a target that is away, Prometheus, Alertmanager, a receiver."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.ports import free_port
from tests.system.prometheus_process import running_alertmanager, running_prometheus
from tests.system.stack_process import eventually

pytestmark = pytest.mark.system

# Within it, alerts come on this machine in some ten seconds; a busy one takes longer.
HEARD_SECONDS = 90

Heard = list[tuple[str, dict[str, Any]]]


@contextmanager
def receiver() -> Iterator[tuple[str, Heard]]:
    """A webhook's address, and what it heard: the path and the alert."""
    heard: Heard = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            content = json.loads(self.rfile.read(int(self.headers["content-length"])))
            heard.extend((self.path, alert) for alert in content["alerts"])
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name in the library
            del format, args

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}", heard
        finally:
            server.shutdown()
            thread.join()


def target(process: str, region: str) -> dict[str, Any]:
    """A target where nobody listens."""
    name = f"comptoir-{process}"
    return {
        "job_name": f"{name}-{region}",
        "static_configs": [
            {"targets": [f"127.0.0.1:{free_port()}"], "labels": {"region": region, "job": name}}
        ],
    }


def test_an_alert_reaches_whom_its_severity_says_and_a_region_that_is_down_silences_its_parts(
    tmp_path: Path,
) -> None:
    targets = [target("emitter", "eu-fr"), target("edge", "eu-de"), target("usage", "eu-de")]
    with (
        receiver() as (address, heard),
        running_alertmanager(tmp_path, address) as alertmanager,
        running_prometheus(tmp_path, targets, alertmanager=alertmanager),
    ):
        names = eventually(
            lambda: sorted((path, alert["labels"]["alertname"]) for path, alert in heard),
            lambda found: len(found) >= 2,
            HEARD_SECONDS,
        )
        assert names == [("/on-call", "RegionDown"), ("/queue", "ProcessDown")]
    page, ticket = (alert for _, alert in sorted(heard, key=lambda one: one[0]))
    assert page["labels"] == {"alertname": "RegionDown", "region": "eu-de", "severity": "page"}
    assert page["annotations"]["runbook_url"] == "https://runbooks.example/comptoir/RegionDown.md"
    assert ticket["labels"]["region"] == "eu-fr"
    assert ticket["labels"]["severity"] == "ticket"
    assert "runbooks" not in ticket["labels"]
