"""Readiness of the edge as its metrics show it."""

import asyncio

import pytest

from services.edge.domain.ports import NotReadyReason
from services.edge.server.health import Health
from tests.contracts.engine_requests import until
from tests.services.runtime.metrics.collecting import collected


class _Router:
    reason: NotReadyReason | None = NotReadyReason.NO_REPLICA

    async def not_ready_reason(self) -> NotReadyReason | None:
        return self.reason


async def test_metrics_show_what_was_seen_last_and_a_drain_for_good() -> None:
    router, turns = _Router(), asyncio.Queue[float]()

    async def pause(seconds: float) -> None:
        turns.put_nowait(seconds)
        if turns.qsize() == 2:
            await asyncio.Event().wait()
        router.reason = None

    with collected() as shown:
        health = Health(router)  # type: ignore[arg-type] # it asks for nothing else
        assert shown.value("comptoir.process.unready", reason="STARTING") == 1
        following = asyncio.create_task(health.follow(pause))
        await until(lambda: turns.qsize() == 2, 5)
        assert shown.value("comptoir.process.ready") == 1
        router.reason = NotReadyReason.NO_REPLICA
        await health._why_not()
        assert shown.value("comptoir.process.unready", reason="NO_REPLICA") == 1
        health.drain()
        assert shown.value("comptoir.process.draining") == 1
        following.cancel()
        with pytest.raises(asyncio.CancelledError):
            await following
