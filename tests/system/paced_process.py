"""The paced endpoint in a process of its own, and what it did."""

import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

from tests.ports import free_port
from tests.system.stack_process import REPOSITORY


@contextmanager
def paced_process(*paces: str) -> Iterator[str]:
    """Starts it with paces such as `600,90` and yields its URL."""
    port = free_port()
    command = [sys.executable, "-m", "tests.paced_endpoint", str(port), *paces]
    with subprocess.Popen(command, cwd=REPOSITORY) as process:
        url = f"http://127.0.0.1:{port}"
        try:
            deadline = time.monotonic() + 60
            while not _answers(url):
                assert process.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.05)
            yield url
        finally:
            process.terminate()


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/v1/models", timeout=5) as answer:  # noqa: S310 - our own
            return bool(answer.status == 200)
    except OSError:
        return False


def take_seen(url: str) -> list[dict[str, float]]:
    """What the endpoint did since the last time."""
    request = urllib.request.Request(f"{url}/seen", method="DELETE")  # noqa: S310 - our own
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - our own
        seen: list[dict[str, float]] = json.load(answer)
    return seen
