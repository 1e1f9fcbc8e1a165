"""A real ClickHouse front for system tests."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

from tests.ports import free_port
from tests.system.running_process import RunningProcess

WRITER = "comptoir_writer"
PASSWORD = "made-up-password-of-the-writer"
_CANNOT_OPEN_FILE = "76"


class ClickHouseProcess(RunningProcess):
    """`python -m deploy.local.clickhouse` on one data folder and a free port."""

    module, section = "deploy.local.clickhouse", "local_clickhouse"

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.data_folder = folder / "clickhouse"
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.password_file = folder / "writer-password"
        super().__init__(folder, **settings)

    def defaults(self) -> dict[str, Any]:
        """One data folder, and a password that is made here."""
        self.password_file.write_text(PASSWORD + "\n", encoding="utf-8")
        return {
            "listen": f"127.0.0.1:{self.port}",
            "data_folder": str(self.data_folder),
            "writer_password_file": str(self.password_file),
        }

    def is_ready(self) -> bool:
        """True if /ping answers."""
        try:
            return httpx.get(f"{self.url}/ping", timeout=2.0).text == "Ok.\n"
        except httpx.TransportError:
            return False

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


def is_refused(answer: httpx.Response) -> bool:
    """True if the front or the engine's grants refused; that the kernel would too is another wall."""
    code = answer.headers.get("X-ClickHouse-Exception-Code", "")
    return answer.status_code >= 400 and code not in ("", _CANNOT_OPEN_FILE)
