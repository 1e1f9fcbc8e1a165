"""A router whose connection stands and brings nothing, as that of a process that was stopped."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.edge.adapters.router_client import RouterClient
from services.edge.domain.nearest_router import NearestRouter
from services.edge.domain.ports import Standing
from services.kernel.clock import SystemClock
from services.runtime.addresses import GrpcTarget
from tests.contracts.edge_router_port import CHAT, REQUEST
from tests.contracts.engine_requests import until
from tests.services.edge.neighbours import serve_router
from tests.services.edge.scripts import GOOD_KEY, RouterScript


class Relay:
    """Hands bytes from one socket to another, but for the time in which it hangs."""

    def __init__(self, here: Path, there: Path) -> None:
        self.here = here
        self._there = there
        self.goes_on = asyncio.Event()
        self.goes_on.set()
        self._handing: set[asyncio.Task[None]] = set()
        self._writers: list[asyncio.StreamWriter] = []
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        self._server = await asyncio.start_unix_server(self._connected, self.here)

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._handing:
            task.cancel()
        if self._handing:
            await asyncio.wait(self._handing)
        # A socket that is still open when the loop ends is a warning, and fails whichever test runs then.
        for writer in self._writers:
            writer.close()
            with contextlib.suppress(OSError):
                await asyncio.wait_for(writer.wait_closed(), 5)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_unix_connection(self._there)
        self._writers += [writer, far_writer]
        for source, drain in ((reader, far_writer), (far_reader, writer)):
            self._handing.add(asyncio.ensure_future(self._hand(source, drain)))

    async def _hand(self, source: asyncio.StreamReader, drain: asyncio.StreamWriter) -> None:
        try:
            while content := await source.read(65536):
                await self.goes_on.wait()
                drain.write(content)
        finally:
            drain.close()


@pytest.fixture
async def relay(tmp_path: Path) -> AsyncIterator[Relay]:
    relay = Relay(tmp_path / "relay", tmp_path / "router-1")
    await relay.start()
    yield relay
    await relay.stop()


@pytest.fixture
async def clients(relay: Relay, tmp_path: Path) -> AsyncIterator[list[RouterClient]]:
    addresses = (f"unix:{relay.here}", f"unix:{tmp_path}/router-2")
    clients = [RouterClient(GrpcTarget(address=address), timeout_seconds=5) for address in addresses]
    yield clients
    for client in clients:
        await client.close()


async def test_what_a_router_that_hangs_leaves_open_is_answered_by_another_before_it_is_lost(
    clients: list[RouterClient], relay: Relay, tmp_path: Path
) -> None:
    scripts = RouterScript(["a"]), RouterScript(["b"])
    servers = [await serve_router(one, tmp_path / f"router-{n}") for n, one in enumerate(scripts, 1)]
    router = NearestRouter(clients, SystemClock(), unreachable_seconds=30, nearer_seconds=60)
    watching = asyncio.ensure_future(router.watch())

    async def ask() -> str:
        admission = await router.admit(key=GOOD_KEY, request=CHAT, request_id=REQUEST, within_seconds=30)
        return admission.offer.generator_address

    assert await asyncio.wait_for(ask(), 20) == "a"
    relay.goes_on.clear()
    assert await asyncio.wait_for(ask(), 20) == "b"
    # The first is thought to be silent, or lost where this machine was too busy to see that before.
    assert clients[0].standing <= Standing.SILENT
    assert await asyncio.wait_for(ask(), 20) == "b"
    relay.goes_on.set()
    await until(lambda: clients[0].standing is Standing.PLACING, 20)
    assert await asyncio.wait_for(ask(), 20) == "a"
    watching.cancel()
    for server in servers:
        await server.drain(0)


async def test_the_way_to_a_router_is_known_after_some_looks_and_forgotten_where_it_is_lost(
    clients: list[RouterClient], tmp_path: Path
) -> None:
    server = await serve_router(RouterScript(["a"]), tmp_path / "router-1")
    for _ in range(40):
        assert clients[0].round_trip_seconds is None
        await clients[0].look()
    assert clients[0].round_trip_seconds is not None
    assert 0 < clients[0].round_trip_seconds < 10
    clients[0].lose()
    assert clients[0].round_trip_seconds is None
    await server.drain(0)
