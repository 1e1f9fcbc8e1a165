"""A real router tells its replicas and tenants; one that is gone is a source that is away."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from comptoir.router.v1 import admin_pb2

from services.console.adapters.router_admin import RouterAdmin
from services.console.domain.errors import SourceAwayError
from services.runtime.addresses import GrpcTarget
from tests.contracts.console_ports import TENANTS, RouterContract
from tests.fakes.running_router import running_router, settings_in


class TestRouterAdmin(RouterContract):
    @pytest.fixture
    async def router(self, tmp_path: Path) -> AsyncIterator[RouterAdmin]:
        async with running_router(settings_in(tmp_path)) as running, running.replica():
            for name in TENANTS:
                await running.admin.CreateTenant(admin_pb2.CreateTenantRequest(name=name))
            router = RouterAdmin(running.settings.admin_listen)
            yield router
            await router.close()

    @pytest.fixture
    async def away_router(self, tmp_path: Path) -> AsyncIterator[RouterAdmin]:
        async with running_router(settings_in(tmp_path)) as running:
            router = RouterAdmin(running.settings.admin_listen)
            assert (await router.fleet()).replicas == ()
            running.stop.set()
            await running.serving
            yield router
            await router.close()


async def test_a_router_that_never_was_is_away_in_its_own_words(tmp_path: Path) -> None:
    router = RouterAdmin(GrpcTarget(address=f"unix:{tmp_path}/nobody.sock"))
    try:
        for ask in (router.fleet, router.tenants):
            with pytest.raises(SourceAwayError, match="The router's admin service does not answer"):
                await ask()
    finally:
        await router.close()
