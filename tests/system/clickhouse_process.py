"""A real ClickHouse front for system tests: started on a free port, killed or stopped, never left behind."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import yaml

from tests.system.kafka_process import free_ports

WRITER = "comptoir_writer"
PASSWORD = "made-up-password-of-the-writer"
START_SECONDS = 60.0
STOP_SECONDS = 30.0
_PAUSE_SECONDS = 0.05


class ClickHouseProcess:
    """`python -m deploy.local.clickhouse` on one data folder; can be started again after it was killed."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.folder = folder
        self.data_folder = folder / "clickhouse"
        self.config_file = folder / "clickhouse.yaml"
        self.stderr_file = folder / "clickhouse.stderr"
        (self.port,) = free_ports(1)
        self.url = f"http://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None
        password_file = folder / "writer-password"
        password_file.write_text(PASSWORD + "\n", encoding="utf-8")
        section = {
            "listen": f"127.0.0.1:{self.port}",
            "data_folder": str(self.data_folder),
            "writer_password_file": str(password_file),
            **settings,
        }
        model = {"number": 1, "name": "tiny-eu", "context_tokens": 1024, "max_output_tokens": 256}
        catalog = {"regions": [{"number": 1, "name": "eu-fr"}], "models": [model]}
        document = {"region": "eu-fr", "catalog": catalog, "local_clickhouse": section}
        self.config_file.write_text(yaml.safe_dump(document), encoding="utf-8")

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The process that was started last."""
        assert self._process is not None
        return self._process

    @property
    def stderr(self) -> str:
        """What all processes so far wrote to standard error."""
        return self.stderr_file.read_text(encoding="utf-8")

    def launch(self) -> None:
        """Starts the process and does not wait."""
        with self.stderr_file.open("ab") as stderr:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "deploy.local.clickhouse", "--config", str(self.config_file)],
                stderr=stderr,
                start_new_session=True,
            )

    def start(self) -> None:
        """Starts the process and waits until /ping answers."""
        self.launch()
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self.is_ready():
                return
            if self.ended_within(_PAUSE_SECONDS):
                break
        raise AssertionError(f"the front did not get ready:\n{self.stderr[-4000:]}")

    def is_ready(self) -> bool:
        """True if /ping answers."""
        try:
            return httpx.get(f"{self.url}/ping", timeout=2.0).text == "Ok.\n"
        except httpx.TransportError:
            return False

    def ended_within(self, seconds: float) -> bool:
        """True if the process is gone, or goes within `seconds`."""
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def kill(self) -> None:
        """SIGKILL, as a crash would."""
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait(STOP_SECONDS)

    def stop(self) -> int:
        """SIGTERM, a bounded wait, and the exit status; nothing runs afterwards."""
        if self._process is None:
            return 0
        if self._process.poll() is None:
            self._process.terminate()
            if not self.ended_within(STOP_SECONDS):
                self.kill()
        return self._process.wait(STOP_SECONDS)

    def read(self, query: str, /, **parameters: str) -> httpx.Response:
        """The answer to `query` as a reader."""
        return httpx.post(self.url, params=parameters, content=query, timeout=60.0)

    def write(self, query: str | bytes, /, **parameters: str) -> httpx.Response:
        """The answer to `query` as the writer."""
        return httpx.post(self.url, params=parameters, content=query, auth=(WRITER, PASSWORD), timeout=60.0)

    def content_at_rest(self) -> Iterator[bytes]:
        """Every file of the data folder; what the store merges away meanwhile, it keeps elsewhere."""
        for folder, _, names in os.walk(self.data_folder):
            for path in (Path(folder) / name for name in names):
                with contextlib.suppress(FileNotFoundError):
                    if path.is_file():
                        yield path.read_bytes()
