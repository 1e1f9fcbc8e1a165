"""A kubelet's questions, asked of real processes on their operations port: alive, ready, and why not."""

import httpx
import pytest

from tests.system.stack_process import Stack

pytestmark = pytest.mark.system


def asked(url: str, path: str) -> tuple[int, str]:
    answer = httpx.get(url.removesuffix("/metrics") + path, timeout=30, trust_env=False)
    return answer.status_code, answer.text


def test_every_process_is_alive_and_ready_where_its_metrics_are(stack: Stack) -> None:
    found = stack.status()["metrics"]
    assert {"edge", "router", "generator", "emitter", "usage"} <= set(found)
    for name, url in found.items():
        assert asked(url, "/healthz") == (200, "alive\n"), name
        assert asked(url, "/readyz") == (200, "ready\n"), name
