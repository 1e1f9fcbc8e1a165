"""A real router tells its replicas and tenants; one that is gone is a source that is away."""

from pathlib import Path

import httpx
import pytest
from comptoir.router.v1 import admin_pb2

from services.console.adapters.readiness import AskedProcesses
from services.console.adapters.router_admin import RouterAdmin
from services.console.domain.errors import SourceAwayError
from services.console.domain.health import Process, State
from services.console.settings import ConsoleSettings
from services.runtime.addresses import GrpcTarget
from tests.fakes.running_router import RunningRouter, running_router, settings_in
from tests.services.console.conftest import SETTINGS


async def test_replicas_and_tenants_are_those_of_the_router(tmp_path: Path) -> None:
    async with running_router(settings_in(tmp_path)) as running, running.replica():
        for name in ("acme", "other"):
            await running.admin.CreateTenant(admin_pb2.CreateTenantRequest(name=name))
        router = RouterAdmin(running.settings.admin_listen)
        try:
            assert [replica.is_ready for replica in (await router.fleet()).replicas] == [True]
            found = await router.tenants()
        finally:
            await router.close()
    assert [tenant.name for tenant in found.tenants] == ["acme", "other"]
    assert (found.is_known, found.is_whole) == (True, True)


async def test_a_router_that_is_gone_is_away(tmp_path: Path) -> None:
    router = RouterAdmin(GrpcTarget(address=f"unix:{tmp_path}/nobody.sock"))
    try:
        for ask in (router.fleet, router.tenants):
            with pytest.raises(SourceAwayError, match="does not answer"):
                await ask()
    finally:
        await router.close()


def edge(answer: httpx.Response | None) -> httpx.AsyncClient:
    def handle(_request: httpx.Request) -> httpx.Response:
        if answer is None:
            raise httpx.ConnectError("")
        return answer

    return httpx.AsyncClient(transport=httpx.MockTransport(handle), base_url="http://edge")


async def test_each_process_says_whether_it_is_ready(tmp_path: Path) -> None:
    async with running_router(settings_in(tmp_path)) as running, edge(httpx.Response(200)) as client:
        asked = {"router": address_of(running), "emitter": f"unix:{tmp_path}/nobody.sock"}
        settings = ConsoleSettings.model_validate(
            SETTINGS | {"processes": {name: {"address": address} for name, address in asked.items()}}
        )
        processes = AskedProcesses(settings, client)
        try:
            found = (await processes.health()).processes
        finally:
            await processes.close()
    assert [(each.name, each.state) for each in found] == [
        ("edge", State.READY),
        ("router", State.READY),
        ("emitter", State.SILENT),
    ]


def address_of(running: RunningRouter) -> str:
    return running.settings.listen.address


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (httpx.Response(503, json={"reason": "no_replica"}), Process("edge", State.UNREADY, "no replica")),
        (httpx.Response(503, json={"reason": "<b>"}), Process("edge", State.UNREADY)),
        (httpx.Response(503, json=[]), Process("edge", State.UNREADY)),
        (httpx.Response(503, content=b"\xff"), Process("edge", State.UNREADY)),
        (None, Process("edge", State.SILENT)),
    ],
)
async def test_an_edge_says_why_it_is_not_ready(answer: httpx.Response | None, expected: Process) -> None:
    async with edge(answer) as client:
        settings = ConsoleSettings.model_validate(SETTINGS)
        assert (await AskedProcesses(settings, client).health()).processes == (expected,)
