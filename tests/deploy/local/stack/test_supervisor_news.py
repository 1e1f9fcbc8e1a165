"""What one process does to another is shown at once, and not at the next look of some seconds later."""

import asyncio
import os
import signal
from pathlib import Path

import pytest

from deploy.local.stack import supervisor as module
from deploy.local.stack.probes import Prober
from deploy.local.stack.supervisor import Supervisor
from services.kernel.clock import SystemClock
from tests.deploy.local.stack.children import Changes, Folder


async def test_an_edge_whose_router_was_killed_is_shown_as_not_ready_until_it_has_its_router_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Without word of each other they would be looked at again long after this test.
    monkeypatch.setattr(module, "_READY_INTERVAL_SECONDS", 600.0)
    monkeypatch.setattr(module, "_UNREADY_INTERVAL_SECONDS", 600.0)
    folder, changes = Folder(tmp_path), Changes()
    plan = [folder.plan("router"), folder.plan("edge", "ready(); wait()")]
    why_not_ready = Prober.why_not_ready

    async def ask(prober: Prober) -> str:
        is_edge = prober._probe.where.endswith("edge")
        if is_edge and not (tmp_path / "router").exists():
            return "router_unreachable"
        return await why_not_ready(prober)

    monkeypatch.setattr(Prober, "why_not_ready", ask)
    supervisor = Supervisor(plan, folder.path, {}, changes, SystemClock())
    try:
        await asyncio.wait_for(supervisor.start({}), 15)
        router, edge = supervisor.children
        (tmp_path / "router").unlink()
        os.kill(router.pid or 0, signal.SIGKILL)
        await changes.until(lambda: edge.state == "unready")
        assert (edge.why, router.state) == ("router_unreachable", "restarting")
        await changes.until(lambda: router.state == "ready" and edge.state == "ready")
    finally:
        await asyncio.wait_for(supervisor.stop(), 20)
