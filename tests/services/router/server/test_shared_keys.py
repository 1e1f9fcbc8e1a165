"""Two routers share one store: what is done to a key on one holds on the other, which nobody told."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import grpc
import pytest
from comptoir.router.v1 import admin_pb2, router_pb2

from services.kernel.errors import Reason
from services.runtime.grpc.status import error_from
from tests.fakes.running_router import RunningRouter, admit, refused, running_router, settings_in
from tests.postgres import Database

# Of a busy machine; the time between two looks is 0.2 s, and the routers' clocks stand still here.
WAIT_SECONDS = 20.0
PAUSE_SECONDS = 0.02


@pytest.fixture(params=["sqlite", "postgres"])
async def routers(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[tuple[RunningRouter, RunningRouter]]:
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
    shared: dict[str, object] = {"database_file": tmp_path / "router.sqlite"}
    if request.param == "postgres":
        database: Database = request.getfixturevalue("database")
        shared = {
            "database_file": None,
            "database_url": database.url,
            "database_password_file": database.password_file,
        }
    one = settings_in(tmp_path / "one", **shared)
    other = settings_in(tmp_path / "other", **shared, pepper_file=one.pepper_file)
    async with AsyncExitStack() as stack:
        yield (
            await stack.enter_async_context(running_router(one)),
            await stack.enter_async_context(running_router(other)),
        )


async def said_of(router: RunningRouter, api_key: str) -> Reason | None:
    """Why a router refuses a key; None where it does not."""
    try:
        await router.router.ListModels(router_pb2.ListModelsRequest(api_key=api_key))
    except grpc.aio.AioRpcError as failure:
        return error_from(failure).reason
    return None


async def until_said(router: RunningRouter, api_key: str, reason: Reason | None) -> None:
    """Waits until a router says so of a key."""
    for _ in range(round(WAIT_SECONDS / PAUSE_SECONDS)):
        if await said_of(router, api_key) is reason:
            return
        await asyncio.sleep(PAUSE_SECONDS)
    raise AssertionError("the other router never says so")


async def test_a_key_that_is_revoked_on_one_router_is_refused_by_the_other(
    routers: tuple[RunningRouter, RunningRouter],
) -> None:
    one, other = routers
    api_key = await one.key()
    await until_said(other, api_key, None)
    assert await said_of(one, api_key) is None
    number = (await one.admin.ListKeys(admin_pb2.ListKeysRequest())).keys[0].number
    await one.admin.RevokeKey(admin_pb2.RevokeKeyRequest(number=number))
    assert await said_of(one, api_key) is Reason.KEY_INVALID
    await until_said(other, api_key, Reason.KEY_INVALID)


async def test_a_tenants_quota_that_grows_on_one_router_holds_on_the_other(
    routers: tuple[RunningRouter, RunningRouter],
) -> None:
    one, other = routers
    api_key = await one.key("acme")
    small = admin_pb2.UpdateTenantRequest(name="acme", quota=admin_pb2.Quota(tokens_per_day=1))
    await one.admin.UpdateTenant(small)
    await until_refused(other, api_key, Reason.QUOTA_TOO_SMALL)
    larger = admin_pb2.UpdateTenantRequest(name="acme", quota=admin_pb2.Quota(tokens_per_day=1_000))
    await one.admin.UpdateTenant(larger)
    # There is no replica to be admitted to.
    await until_refused(other, api_key, Reason.NO_REPLICA)


async def until_refused(router: RunningRouter, api_key: str, reason: Reason) -> None:
    """Waits until a router refuses a request for a reason."""
    for _ in range(round(WAIT_SECONDS / PAUSE_SECONDS)):
        if (await refused(router.router.Admit(admit(api_key)))).reason is reason:
            return
        await asyncio.sleep(PAUSE_SECONDS)
    raise AssertionError("the router goes on as before")
