"""Prometheus and Alertmanager as operators run them, on the rules of deploy/alerts at a pace for tests."""

import contextlib
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import yaml

from tests.debian_programs import program
from tests.deploy.queries import ALERTS, RULE_FILES
from tests.ports import free_port
from tests.system.stack_process import eventually

_READY_SECONDS = 60
_STOP_SECONDS = 30


class Prometheus:
    """A running Prometheus."""

    def __init__(self, url: str) -> None:
        self._url = url

    def ask(self, path: str, **parameters: Any) -> Any:
        """What its API answers; it fails with what Prometheus says is wrong."""
        answer = httpx.get(f"{self._url}/api/v1/{path}", params=parameters, timeout=60)
        document = answer.json()
        assert document["status"] == "success", document
        assert not document.get("warnings"), document
        return document["data"]

    def instant(self, query: str) -> list[dict[str, Any]]:
        """The series of a query now."""
        found: list[dict[str, Any]] = self.ask("query", query=query)["result"]
        return found

    def over_time(self, query: str, *, start: float, end: float) -> list[dict[str, Any]]:
        """The series of a query, as a graph asks for them."""
        asked = self.ask("query_range", query=query, start=start, end=end, step="5s")
        found: list[dict[str, Any]] = asked["result"]
        return found


@contextmanager
def running_prometheus(
    folder: Path, targets: Sequence[Mapping[str, Any]], *, alertmanager: str = "127.0.0.1:9"
) -> Iterator[Prometheus]:
    """Prometheus with the configuration and the rules of deploy/alerts, each second and without a wait.

    `targets` are scrape configurations, in place of those of `comptoir up` on its usual ports.
    """
    port = free_port()
    config = _config(folder, targets, alertmanager)
    arguments = (
        f"--config.file={config}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
    )
    with _running("prometheus", folder, arguments, f"http://127.0.0.1:{port}/-/ready"):
        yield Prometheus(f"http://127.0.0.1:{port}")


@contextmanager
def running_alertmanager(folder: Path, receiver: str) -> Iterator[str]:
    """Alertmanager with the routes of deploy/alerts, whose receivers are paths of `receiver`; its address."""
    port = free_port()
    text = (ALERTS / "alertmanager.yaml").read_text()
    # Long enough for all alerts of one round of evaluation to have come, as inhibition wants.
    text = re.sub(r"group_wait: \w+", "group_wait: 3s", text).replace("http://127.0.0.1:9099", receiver)
    config = folder / "alertmanager.yaml"
    config.write_text(text)
    arguments = (
        f"--config.file={config}",
        f"--storage.path={folder / 'alertmanager'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--cluster.listen-address=",
    )
    with _running("prometheus-alertmanager", folder, arguments, f"http://127.0.0.1:{port}/-/ready"):
        yield f"127.0.0.1:{port}"


def _config(folder: Path, targets: Sequence[Mapping[str, Any]], alertmanager: str) -> Path:
    for file in RULE_FILES:
        text = (ALERTS / file).read_text()
        text = re.sub(r"\binterval: \w+", "interval: 1s", text)
        (folder / file).write_text(re.sub(r"\bfor: \w+", "for: 0s", text))
    document = yaml.safe_load((ALERTS / "prometheus.yaml").read_text())
    document["global"] |= {"scrape_interval": "1s", "evaluation_interval": "1s"}
    document["alerting"]["alertmanagers"] = [{"static_configs": [{"targets": [alertmanager]}]}]
    document["scrape_configs"] = list(targets)
    config = folder / "prometheus.yaml"
    config.write_text(yaml.safe_dump(document))
    return config


@contextmanager
def _running(name: str, folder: Path, arguments: Sequence[str], ready: str) -> Iterator[None]:
    with (folder / f"{name}.log").open("w") as log:
        process = subprocess.Popen([program(name), *arguments], stdout=log, stderr=log)
        try:
            eventually(lambda: _is_ready(process, ready), bool, _READY_SECONDS)
            yield
        finally:
            process.terminate()
            process.wait(_STOP_SECONDS)
    shutil.rmtree(folder / "data", ignore_errors=True)


def _is_ready(process: "subprocess.Popen[bytes]", url: str) -> bool:
    assert process.poll() is None, "it ended: see its log in the test's folder"
    with contextlib.suppress(httpx.TransportError):
        return httpx.get(url, timeout=10).status_code == httpx.codes.OK
    return False
