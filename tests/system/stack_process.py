"""A whole stack as a newcomer starts it, for tests: up, ask, kill one part, look at the rows, down."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, TypeVar

import clickhouse_connect
import grpc
import openai
from comptoir.generator.v1 import generator_pb2, generator_pb2_grpc

from services.runtime.settings import environment
from tests.ports import free_block

REPOSITORY = Path(__file__).resolve().parents[2]
COMPTOIR = (sys.executable, "-m", "services.cli")
UP_SECONDS = 240

Value = TypeVar("Value")


class Stack:
    """A running stack: what `comptoir up --detach --json` said, and what one can do with it."""

    def __init__(self, description: dict[str, Any]) -> None:
        self.description = description
        self.data_dir = Path(description["data_dir"])
        self.base_url: str = description["base_url"]
        self.model: str = description["model"]
        self.api_key: str = description["api_key"]

    def client(self, **options: Any) -> AbstractContextManager[openai.OpenAI]:
        """An official client with its default retries unless told otherwise.

        Only to be entered: one that nobody closes is a warning of an open socket in a later test.
        """
        return openai.OpenAI(**{"base_url": self.base_url, "api_key": self.api_key, **options})

    def async_client(self, **options: Any) -> AbstractAsyncContextManager[openai.AsyncOpenAI]:
        """The asynchronous official client, which is entered as well."""
        return openai.AsyncOpenAI(**{"base_url": self.base_url, "api_key": self.api_key, **options})

    def rows(self, query: str, **parameters: Any) -> list[dict[str, Any]]:
        """Rows of the store, read as any analyst reads them."""
        # Without a session, so that tests that ask from several threads do not wait for one another.
        url = self.description["clickhouse_url"]
        with clickhouse_connect.get_client(dsn=url, autogenerate_session_id=False) as client:
            return list(client.query(query, parameters=parameters).named_results())

    def rows_of(self, table: str, request_id: str) -> list[dict[str, Any]]:
        """The rows of one request; `request_id` is 32 hexadecimal digits."""
        query = (
            "SELECT * FROM comptoir.{table:Identifier} "
            "WHERE request_id_high = {high:UInt64} AND request_id_low = {low:UInt64}"
        )
        high, low = int(request_id[:16], 16), int(request_id[16:], 16)
        return self.rows(query, table=table, high=high, low=low)

    def row_of(self, table: str, request_id: str, seconds: float = 60) -> dict[str, Any]:
        """The one row of a request, as soon as it is there."""
        found = eventually(lambda: self.rows_of(table, request_id), bool, seconds)
        assert len(found) == 1, f"{len(found)} rows in {table}"
        return found[0]

    def generator_load(self) -> generator_pb2.GetLoadResponse:
        """How busy the replica is at this moment."""
        with grpc.insecure_channel(self.description["grpc"]["generator"]) as channel:
            stub = generator_pb2_grpc.GeneratorServiceStub(channel)
            return stub.GetLoad(generator_pb2.GetLoadRequest(), timeout=30)

    def comptoir(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Runs another command on this stack."""
        return run_comptoir(*arguments, "--data-dir", str(self.data_dir), check=check)

    def status(self) -> dict[str, Any]:
        """What `comptoir status --json` says."""
        content: dict[str, Any] = json.loads(self.comptoir("status", "--json").stdout)
        return content

    def process(self, name: str) -> dict[str, Any]:
        """One process as `comptoir status` lists it."""
        return next(entry for entry in self.status()["processes"] if entry["name"] == name)

    def kill(self, name: str) -> None:
        """Kills one process as an out-of-memory killer would."""
        os.kill(int(self.process(name)["pid"]), signal.SIGKILL)

    def wait_ready(self, seconds: float = 120) -> None:
        """Waits until every process is ready."""
        eventually(
            lambda: {entry["name"]: entry["state"] for entry in self.status()["processes"]},
            lambda states: set(states.values()) == {"ready"},
            seconds,
        )

    def text_at_rest(self) -> Iterator[tuple[Path, bytes]]:
        """Every file of the data folder but the secrets; what the store merges away meanwhile, it keeps."""
        for folder, _, names in os.walk(self.data_dir):
            for path in (Path(folder) / name for name in names):
                if "secrets" in path.parts or not path.is_file():
                    continue
                with contextlib.suppress(FileNotFoundError):
                    yield path, path.read_bytes()


def request_id_of(row: dict[str, Any]) -> str:
    """The 32 hexadecimal digits by which clients know the request of a row."""
    return f"{row['request_id_high']:016x}{row['request_id_low']:016x}"


def eventually(ask: Callable[[], Value], is_good: Callable[[Value], bool], seconds: float) -> Value:
    """Asks until the answer is good, and fails with the last answer when the time is over."""
    deadline = time.monotonic() + seconds
    while True:
        answer = ask()
        if is_good(answer):
            return answer
        assert time.monotonic() < deadline, f"after {seconds} s still: {answer!r}"
        time.sleep(0.05)


def run_comptoir(
    *arguments: str, check: bool = True, variables: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Runs the command, with `variables` beside those of this process, and returns what it said."""
    done = subprocess.run(
        [*COMPTOIR, *arguments],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        env={**environment(), **(variables or {})},
        timeout=UP_SECONDS + 30,
        check=False,
    )
    assert not check or done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done


@contextmanager
def running_stack(
    folder: Path, *arguments: str, variables: Mapping[str, str] | None = None
) -> Iterator[Stack]:
    """A stack in `folder` on free ports; drained at the end, and nothing of it left.

    A second vLLM costs 8 s of CPU and 0.4 GiB, so vectors are for those who ask for `--embeddings`; so is
    the console, for those who ask for `--console`.
    """
    where = ["--data-dir", str(folder), "--port", str(free_block()), "--no-embeddings", "--no-console"]
    up = ["up", "--detach", "--json", *where, *arguments]
    try:
        started = run_comptoir(*up, variables=variables)
        yield Stack(json.loads(started.stdout))
    finally:
        # Of one that was too slow to start there are processes, too, which would slow down what follows.
        run_comptoir("down", "--data-dir", str(folder))


def processes_of(folder: Path) -> list[str]:
    """Command lines of processes that name `folder`; what a stack left behind."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = entry.read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
        except OSError:
            continue
        if str(folder) in command:
            found.append(command)
    return found
