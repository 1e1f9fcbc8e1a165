"""KEDA's own client, which its operator is built with, asks how many replicas a model should have."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import pytest
from comptoir.router.v1 import router_pb2

from services.runtime.settings import environment
from tests.clients.test_stubs_of_other_languages import BINARIES
from tests.fakes.running_router import (
    ReportStream,
    RunningRouter,
    admit,
    registration_message,
    running_router,
    settings_in,
)
from tests.ports import free_port

# Go compiles gRPC for minutes, once on a machine.
pytestmark = [pytest.mark.system, pytest.mark.timeout(900)]

PROGRAM: Final = Path(__file__).parent / "programs" / "go-keda"
RULES: Final = {"model": "tiny-eu", "min_replicas": 0, "max_replicas": 3, "idle_seconds": 60}
SECONDS: Final = 60


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program, built by its lock."""
    binary = tmp_path_factory.mktemp("keda") / "client"
    built = asyncio.run(_run(800, "go", "build", "-o", str(binary), "."))
    assert built[0] == 0, built[1]
    return binary


async def test_kedas_client_is_pushed_a_scale_from_zero_while_a_request_is_held(
    client: Path, tmp_path: Path
) -> None:
    address = f"127.0.0.1:{free_port()}"
    listen = {"address": address, "is_open_to_this_machine": True}
    settings = settings_in(tmp_path, scaler_listen=listen, scaling=[RULES], hold_seconds=SECONDS)
    async with running_router(settings) as running:
        # A router that has just started takes nothing away.
        running.clock.advance(400)
        asking = asyncio.create_task(_run(SECONDS, str(client), address, "tiny-eu"))
        held = asyncio.create_task(_held(running))
        status, said = await asking
        assert (status, said.splitlines()[:2]) == (0, ["spec desired-replicas 1"] * 2), said
        *activity, last = said.splitlines()[2:]
        assert activity in (["active false", "active true"], ["active true"])
        assert last == "now true desired-replicas 1"
        async with running.replica():
            assert (await asyncio.wait_for(held, SECONDS)).HasField("offer")
        refused = await _run(SECONDS, str(client), address, "nobody")
        assert refused[0] == 1
        assert "NOT_FOUND" in refused[1]


async def test_kedas_client_is_told_that_a_model_is_active_for_as_long_as_a_replica_loads(
    client: Path, tmp_path: Path
) -> None:
    """KEDA would take a pod away that nobody asks any more, in the middle of its start."""
    address = f"127.0.0.1:{free_port()}"
    listen = {"address": address, "is_open_to_this_machine": True}
    async with running_router(settings_in(tmp_path, scaler_listen=listen, scaling=[RULES])) as running:
        loading = ReportStream(running.replicas.Report())
        await loading.report(registration=registration_message())
        # More than a start of the router, and than the time that an idle one is kept.
        running.clock.advance(700)
        async with _watching(client, address) as pushed:
            assert await asyncio.wait_for(pushed.readline(), SECONDS) == b"active true\n"
            running.clock.advance(100)
            status, said = await _run(SECONDS, str(client), address, "tiny-eu")
            assert (status, said.splitlines()[2:]) == (
                0,
                ["active true", "now true desired-replicas 1"],
            ), said
            loading.cancel()
            last = asyncio.create_task(pushed.readline())
            async with asyncio.timeout(SECONDS):
                # The router hears by itself that the replica is gone, and counts from then.
                while not last.done():
                    running.clock.advance(100)
                    await asyncio.wait({last}, timeout=1)
            assert last.result() == b"active false\n"


@asynccontextmanager
async def _watching(client: Path, address: str) -> AsyncIterator[asyncio.StreamReader]:
    """What the client is pushed of the model, a line each."""
    command = (str(client), address, "tiny-eu", "watch")
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    try:
        yield process.stdout
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def _held(running: RunningRouter) -> router_pb2.AdmitResponse:
    return await running.router.Admit(admit(await running.key()), timeout=SECONDS)


async def _run(seconds: float, *command: str) -> tuple[int, str]:
    """The status of a command, and what it said; nothing that is not locked is fetched."""
    path = os.pathsep.join((str(BINARIES), environment()["PATH"]))
    variables = {**environment(), "PATH": path, "GOTOOLCHAIN": "local", "GOFLAGS": "-mod=readonly"}
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=PROGRAM,
        env=variables,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        said, _ = await asyncio.wait_for(process.communicate(), seconds)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return process.returncode or 0, said.decode()
