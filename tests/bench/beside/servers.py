"""A server of others in a process of its own, from its first answer to its end."""

import subprocess
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.bench.beside.environments import for_children
from tests.bench.beside.errors import BenchError
from tests.bench.beside.loader import end
from tests.system.stack_process import REPOSITORY

START_SECONDS = 150.0


@contextmanager
def server(
    log: Path, command: Sequence[str], variables: Mapping[str, str], port: int, path: str
) -> Iterator["subprocess.Popen[bytes]"]:
    """A server in a session of its own, once it answers; nothing of it is left at the end."""
    with log.open("w") as output:
        process = subprocess.Popen(
            command,
            cwd=REPOSITORY,
            env={**for_children(), **variables},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        _wait_until_healthy(process, log, f"http://127.0.0.1:{port}{path}")
        yield process
    finally:
        end(process)


def _wait_until_healthy(process: "subprocess.Popen[bytes]", log: Path, url: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            last = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-1:]
            raise BenchError(f"{log.stem} ended with status {process.returncode}: {' '.join(last)[:300]}")
        if _is_healthy(url):
            return
        time.sleep(0.1)
    raise BenchError(f"{log.stem} did not answer within {START_SECONDS:.0f} s.")


def _is_healthy(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310 - a server of our own
            return bool(answer.status == 200)
    except OSError:
        return False
