"""A connection that never ends its handshake counts, is closed in time, and keeps nobody out."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import uvloop

from services.kernel.clock import ManualClock
from services.runtime.http import handshakes
from services.runtime.http.bounds import HttpBounds, Refusal
from services.runtime.http.handshakes import Handshake
from services.runtime.http.registry import Registry
from services.runtime.http.server import HttpServer, bind
from tests.services.runtime.certificates import Authority
from tests.services.runtime.http.serving import GET, Echo, refuse

Run = Callable[[Coroutine[Any, Any, None]], None]
BOTH_LOOPS = pytest.mark.parametrize("run", [asyncio.run, uvloop.run])


class TlsServer:
    """A server, and those who connect to it."""

    def __init__(self, server: HttpServer, port: int, client_side: ssl.SSLContext) -> None:
        self.server = server
        self.port = port
        self.client_side = client_side
        self._writers: list[asyncio.StreamWriter] = []

    async def silent(self) -> asyncio.StreamReader:
        """Opens a connection that begins no handshake."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        self._writers.append(writer)
        return reader

    async def ask(self) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, ssl=self.client_side)
        writer.write(GET.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n"))
        try:
            return await asyncio.wait_for(reader.read(), 5)
        finally:
            writer.close()

    async def until_open(self, count: int) -> None:
        async with asyncio.timeout(5):
            while self.server.connections != count:  # noqa: ASYNC110 - the server tells nobody
                await asyncio.sleep(0.01)

    def leave(self) -> None:
        for writer in self._writers:
            writer.close()


@asynccontextmanager
async def tls_server(
    folder: Path, *, head_seconds: float, most: int = 3, drain_seconds: float = 1
) -> AsyncIterator[TlsServer]:
    files = Authority(folder / "authority").files("edge")
    server_side = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server_side.load_cert_chain(files.certificate_file, files.private_key_file)
    bounds = HttpBounds(
        max_head_bytes=8192,
        max_connections=most,
        head_seconds=head_seconds,
        idle_seconds=60,
        drain_seconds=drain_seconds,
    )
    server = HttpServer(Echo(), bounds, refuse, ManualClock())
    bound = bind("127.0.0.1", 0)
    port = bound.getsockname()[1]
    await server.start(bound, server_side)
    running = TlsServer(server, port, ssl.create_default_context(cafile=str(files.ca_file)))
    try:
        yield running
    finally:
        running.leave()
        await server.stop()


class Working:
    """A member of a registry that has a request under way."""

    def close(self) -> None:
        raise AssertionError

    drain = abort = close

    def refuse(self, _refusal: Refusal) -> None:
        raise AssertionError


async def test_where_all_work_a_new_connection_is_closed_before_its_handshake() -> None:
    bounds = HttpBounds(
        max_head_bytes=8192, max_connections=1, head_seconds=60, idle_seconds=5, drain_seconds=1
    )
    registry = Registry(Echo(), bounds, refuse, ManualClock())
    working = Working()
    registry.opened(working)
    registry.works(working)
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    with ours, theirs:
        Handshake(ours, ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), registry)
        assert await asyncio.wait_for(asyncio.get_running_loop().sock_recv(theirs, 1), 5) == b""
        assert registry.connections == 1


async def ended(reader: asyncio.StreamReader) -> bool:
    try:
        return await asyncio.wait_for(reader.read(), 5) == b""
    except ConnectionResetError:
        return True


@BOTH_LOOPS
def test_those_who_begin_no_handshake_count_and_the_longest_makes_way(tmp_path: Path, run: Run) -> None:
    async def scenario() -> None:
        async with tls_server(tmp_path, head_seconds=60) as running:
            silent = []
            for count in range(1, 4):
                silent.append(await running.silent())
                await running.until_open(count)
            assert (await running.ask()).endswith(b"GET /a ")
            assert await ended(silent[0])
            assert not silent[1].at_eof()
            assert running.server.connections <= 3

    run(scenario())


@BOTH_LOOPS
def test_a_handshake_that_does_not_come_is_waited_for_a_bounded_time(tmp_path: Path, run: Run) -> None:
    async def scenario() -> None:
        async with tls_server(tmp_path, head_seconds=0.2) as running:
            reader = await running.silent()
            await running.until_open(1)
            assert await ended(reader)
            await running.until_open(0)

    run(scenario())


@BOTH_LOOPS
def test_those_who_come_together_are_accepted_in_a_few_turns_of_the_loop(tmp_path: Path, run: Run) -> None:
    async def scenario() -> None:
        async with tls_server(tmp_path, head_seconds=60, most=100) as running:
            came = [socket.create_connection(("127.0.0.1", running.port)) for _ in range(40)]
            for _ in range(20):
                await asyncio.sleep(0)
            assert running.server.connections == 40
            for one in came:
                one.close()

    run(scenario())


async def test_one_that_left_in_the_queue_holds_nobody_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handshakes, "_PAUSE_SECONDS", 60)
    loop = asyncio.get_running_loop()
    accept, left = loop.sock_accept, [ConnectionAbortedError(), ConnectionAbortedError()]

    async def accept_behind_those(bound: socket.socket) -> tuple[socket.socket, Any]:
        if left:
            raise left.pop()
        return await accept(bound)

    monkeypatch.setattr(loop, "sock_accept", accept_behind_those)
    async with tls_server(tmp_path, head_seconds=60) as running:
        assert (await running.ask()).endswith(b"GET /a ")
    assert not left


@BOTH_LOOPS
def test_a_drain_waits_for_no_handshake(tmp_path: Path, run: Run) -> None:
    async def scenario() -> None:
        async with tls_server(tmp_path, head_seconds=60) as running:
            reader = await running.silent()
            await running.until_open(1)
            async with asyncio.timeout(5):
                await running.server.stop()
            assert await ended(reader)
            assert running.server.connections == 0

    run(scenario())


@BOTH_LOOPS
def test_a_drain_waits_a_moment_for_an_idle_client_that_does_not_say_goodbye(
    tmp_path: Path, run: Run
) -> None:
    def served(port: int, client_side: ssl.SSLContext) -> ssl.SSLSocket:
        client = client_side.wrap_socket(
            socket.create_connection(("127.0.0.1", port), 5), server_hostname="127.0.0.1"
        )
        client.sendall(GET)
        assert client.recv(64).startswith(b"HTTP/1.1 200")
        return client

    async def scenario() -> None:
        async with tls_server(tmp_path, head_seconds=60, drain_seconds=60) as running:
            # It reads nothing from here on, the end of the session neither.
            client = await asyncio.to_thread(served, running.port, running.client_side)
            try:
                # Less than a client has that is to read what was written.
                async with asyncio.timeout(8):
                    await running.server.stop()
                assert running.server.connections == 0
            finally:
                client.close()

    run(scenario())
