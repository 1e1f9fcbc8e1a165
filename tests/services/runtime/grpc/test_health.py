"""Health is told to all that ask or watch, and no watcher holds anything up."""

import asyncio
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from services.runtime.addresses import GrpcListen, GrpcTarget
from services.runtime.grpc import health
from services.runtime.grpc.health import HealthService
from services.runtime.grpc.server import channel
from tests.services.runtime.running import serving

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
UNKNOWN = health_pb2.HealthCheckResponse.SERVICE_UNKNOWN


class Watcher:
    """A call of Watch that reads what it is told, or nothing at all."""

    def __init__(self, service: HealthService, name: str = "", *, reads: bool = True) -> None:
        self.told: list[int] = []
        self.aborted: grpc.StatusCode | None = None
        self._reads = reads
        self._news = asyncio.Event()
        request = health_pb2.HealthCheckRequest(service=name)
        self.task: asyncio.Task[None] = asyncio.ensure_future(service.Watch(request, self))  # type: ignore[arg-type] # a double

    async def write(self, answer: Any) -> None:
        if not self._reads:
            await asyncio.Event().wait()
        self.told.append(answer.status)
        self._news.set()

    async def abort(self, code: grpc.StatusCode, _words: str = "") -> None:
        self.aborted = code

    async def until(self, count: int) -> list[int]:
        async with asyncio.timeout(10):
            while len(self.told) < count:
                self._news.clear()
                await self._news.wait()
        return self.told


async def test_a_watcher_is_told_each_change_once() -> None:
    service = HealthService()
    watcher = Watcher(service)
    assert await watcher.until(1) == [SERVING]
    service.set("", NOT_SERVING)
    service.set("other", SERVING)
    assert await watcher.until(2) == [SERVING, NOT_SERVING]
    service.set("", SERVING)
    assert await watcher.until(3) == [SERVING, NOT_SERVING, SERVING]
    service.shut_down()
    await asyncio.wait_for(watcher.task, timeout=10)
    assert watcher.told == [SERVING, NOT_SERVING, SERVING, NOT_SERVING]
    service.set("", SERVING)
    assert await Watcher(service).until(1) == [NOT_SERVING]


async def test_a_service_that_nobody_told_of_is_unknown_until_then() -> None:
    service = HealthService()
    watcher = Watcher(service, "a.B")
    assert await watcher.until(1) == [UNKNOWN]
    service.set("a.B", SERVING)
    assert await watcher.until(2) == [UNKNOWN, SERVING]
    watcher.task.cancel()


async def test_a_watcher_that_does_not_read_holds_up_nobody() -> None:
    service = HealthService()
    silent, reader = Watcher(service, reads=False), Watcher(service)
    assert await reader.until(1) == [SERVING]
    service.set("", NOT_SERVING)
    assert await reader.until(2) == [SERVING, NOT_SERVING]
    silent.task.cancel()
    reader.task.cancel()


async def test_where_too_many_watch_the_oldest_watch_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "MOST_WATCHERS", 2)
    service = HealthService()
    watchers = [Watcher(service) for _ in range(3)]
    await asyncio.wait_for(watchers[0].task, timeout=10)
    assert watchers[0].aborted is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert await watchers[2].until(1) == [SERVING]
    for watcher in watchers:
        watcher.task.cancel()


async def test_watching_works_over_the_wire(tmp_path: Any) -> None:
    address = f"unix:{tmp_path}/s.sock"
    async with (
        serving(GrpcListen(address=address)) as server,
        channel(GrpcTarget(address=address)) as connection,
    ):
        stub = health_pb2_grpc.HealthStub(connection)
        watch = stub.Watch(health_pb2.HealthCheckRequest(), timeout=10)
        assert (await watch.read()).status == SERVING
        await server.set_serving(is_serving=False)
        assert (await watch.read()).status == NOT_SERVING
        watch.cancel()
