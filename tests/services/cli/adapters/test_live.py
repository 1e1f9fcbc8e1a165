"""A running stack is asked over gRPC; what does not answer in time is not known."""

import asyncio
from pathlib import Path

import pytest

from services.cli.adapters.live import ask_stack
from services.kernel.clock import ManualClock
from services.kernel.readiness import Figure, Readiness
from services.runtime.addresses import GrpcListen
from services.runtime.grpc.server import build_server
from tests.fakes.running_router import running_router, settings_in


async def test_replicas_are_as_the_router_lists_them(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    async with running_router(settings) as running, running.replica(replica=7):
        said = await asyncio.to_thread(ask_stack, {"admin": settings.admin_listen.address})
    (replica,) = said["replicas"]
    assert (replica["number"], replica["model"], replica["state"]) == (7, "tiny-eu", "ready")
    assert replica["report_age_seconds"] >= 0
    assert said["store_lag"] is None


async def test_the_store_s_lag_is_what_the_pipeline_says(tmp_path: Path) -> None:
    address = f"unix:{tmp_path}/usage.sock"
    server = build_server(GrpcListen(address=address), clock=ManualClock())
    await server.start()
    figures = {Figure.BEHIND_SECONDS: 75, Figure.WAITING_FRAMES: 4}
    await server.set_readiness(Readiness(is_ready=True, figures=figures))
    said = await asyncio.to_thread(ask_stack, {"usage": address})
    await server.drain(0)
    assert said["store_lag"] == {"behind_seconds": 75, "waiting_frames": 4}
    assert said["replicas"] is None


@pytest.mark.parametrize("addresses", [{}, {"admin": "unix:/nowhere/a", "usage": "unix:/nowhere/u"}])
def test_what_does_not_answer_is_not_known(addresses: dict[str, str]) -> None:
    said = ask_stack(addresses)
    assert said["replicas"] is None
    assert said["store_lag"] in (None, {"behind_seconds": None, "waiting_frames": None})
