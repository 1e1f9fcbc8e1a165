"""What a stranger's bytes cost an edge and its other clients.

    .venv/bin/python -m tests.bench.strangers

Starts an edge with neighbours in memory as a process of its own. During each attack another client asks
for `/healthz` every 5 ms: the longest that it waited, the edge's CPU, and what its memory grew by.
"""

import asyncio
import gc
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import psutil
import uvloop

from services.edge.process import HttpSide
from services.edge.settings import HttpListen
from services.kernel.clock import SystemClock
from services.runtime import logs
from tests.services.edge.conftest import LIMITS
from tests.services.edge.memory import MemoryGenerators, MemoryRouter, MemoryUsage
from tests.services.edge.scripts import GOOD_KEY, GeneratorScript, RouterScript, UsageScript

_MIB = 1024 * 1024
_WAIT_SECONDS = 20.0
_HEAD = f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {GOOD_KEY}\r\n".encode()
_TRAILER = b"x-a: bbbbbbbbbbbbbbbb\r\n"
_CHUNKED = _HEAD + b"transfer-encoding: chunked\r\n\r\n"


async def serve() -> None:
    """Runs an edge and prints its port, until it is killed."""
    logs.configure("edge", "warning")
    router, generators = MemoryRouter(RouterScript(["a"])), MemoryGenerators({"a": GeneratorScript()})
    edge = HttpSide(
        LIMITS.model_copy(update={"max_connections": 4096}),
        HttpListen(port=0),
        SystemClock(),
        router=router,
        generators=generators,
        usage=MemoryUsage(UsageScript()),
    )
    await edge.start()
    # As the process does.
    gc.collect()
    gc.freeze()
    print(edge.port, flush=True)
    await asyncio.Event().wait()


class Bystander:
    """A client that asks for health again and again, and notes the longest that it waited."""

    def __init__(self) -> None:
        self.longest_seconds = 0.0

    async def ask(self, port: int) -> None:
        """Asks until it is cancelled."""
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while True:
            started = time.perf_counter()
            writer.write(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")
            await reader.readuntil(b"}")
            self.longest_seconds = max(self.longest_seconds, time.perf_counter() - started)
            await asyncio.sleep(0.005)


@asynccontextmanager
async def connection(port: int) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """One connection to the edge."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=4 * _MIB)
    yield reader, writer
    writer.close()


async def pipeline(port: int) -> str:
    """Sends 14,000 requests in one write."""
    async with connection(port) as (reader, writer):
        writer.write(b"GET /nowhere HTTP/1.1\r\nhost: x\r\n\r\n" * 14_000)
        answers = 0
        while answers < 14_000:
            piece = await asyncio.wait_for(reader.readuntil(b'"route_not_found"}}'), _WAIT_SECONDS)
            answers += piece.count(b"HTTP/1.1 404")
            # The bystander lives in this process too.
            await asyncio.sleep(0)
    return f"{answers} answers"


def endless(head: bytes, piece: bytes, *, most_bytes: int) -> Callable[[int], Awaitable[str]]:
    """Sends a piece again and again until the edge has enough of it."""

    async def attack(port: int) -> str:
        async with connection(port) as (reader, writer):
            writer.write(head)
            sent = 0
            with suppress(OSError):
                while sent < most_bytes:
                    writer.write(piece)
                    await asyncio.wait_for(writer.drain(), _WAIT_SECONDS)
                    sent += len(piece)
            answer = b""
            with suppress(OSError):
                answer = await asyncio.wait_for(reader.readline(), _WAIT_SECONDS)
        return f"{answer[9:12].decode() or 'closed'} within {sent / _MIB:.1f} MiB"

    return attack


def quotes(head: bytes) -> Callable[[int], Awaitable[str]]:
    """Sends 20 bodies of a mebibyte of quotes."""

    async def attack(port: int) -> str:
        statuses = set()
        for _ in range(20):
            async with connection(port) as (reader, writer):
                writer.write(head + b"content-length: %d\r\n\r\n" % _MIB + b'"' * _MIB)
                statuses.add((await asyncio.wait_for(reader.readline(), _WAIT_SECONDS))[9:12].decode())
        return ", ".join(statuses)

    return attack


async def silence(port: int) -> str:
    """Opens 900 connections and says nothing."""
    streams = [await asyncio.open_connection("127.0.0.1", port) for _ in range(900)]
    for _, writer in streams:
        writer.close()
    return "taken"


ATTACKS: dict[str, Callable[[int], Awaitable[str]]] = {
    "14,000 requests in one write": pipeline,
    "trailers without end": endless(_CHUNKED + b"0\r\n", _TRAILER * 2_600, most_bytes=300 * _MIB),
    "an extension without end": endless(_CHUNKED + b"1;", b"e" * 65_536, most_bytes=300 * _MIB),
    "a million chunks of one byte": endless(_CHUNKED, b"1\r\na\r\n" * 10_000, most_bytes=6 * _MIB),
    "20 MiB of quotes, `Bearer x`": quotes(_HEAD.replace(GOOD_KEY.encode(), b"x")),
    "20 MiB of quotes, the form of a key": quotes(_HEAD),
    "900 silent connections": silence,
}


async def measure(port: int, edge: psutil.Process) -> None:
    """Prints a row per attack."""
    print("| attack | others waited at most | CPU of the edge | memory | what came of it |")
    print("|---|---|---|---|---|")
    for name, attack in ATTACKS.items():
        bystander = Bystander()
        asking = asyncio.create_task(bystander.ask(port))
        cpu, memory = sum(edge.cpu_times()[:2]), edge.memory_info().rss
        outcome = await attack(port)
        await asyncio.sleep(0.3)
        asking.cancel()
        spent, grown = sum(edge.cpu_times()[:2]) - cpu, (edge.memory_info().rss - memory) / _MIB
        waited = bystander.longest_seconds * 1000
        print(f"| {name} | {waited:.0f} ms | {spent:.2f} s | {grown:+.1f} MiB | {outcome} |", flush=True)


def main() -> None:
    """Serves or measures."""
    if sys.argv[1:] == ["--serve"]:
        uvloop.run(serve())
        return
    command = [sys.executable, "-m", "tests.bench.strangers", "--serve"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as edge:
        assert edge.stdout is not None
        try:
            asyncio.run(measure(int(edge.stdout.readline()), psutil.Process(edge.pid)))
        finally:
            edge.kill()


if __name__ == "__main__":
    main()
