"""The first key: made once, for a tenant that may be there already, and kept before it is shown."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from comptoir.router.v1 import admin_pb2, admin_pb2_grpc

from deploy.local.stack import first_key
from deploy.local.stack.errors import StackError
from deploy.local.stack.first_key import ensure_first_key
from deploy.local.stack.paths import DataPaths
from services.kernel.errors import ComptoirError, Reason
from services.runtime.grpc.status import STATUS, trailing_metadata


class Admin(admin_pb2_grpc.AdminServiceServicer):
    """Makes one key, or refuses a call by name for its reason."""

    _nobody_calls: Any = None
    ListKeys = ListTenants = ListReplicas = RevokeKey = _nobody_calls

    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.refusals: dict[str, Reason] = {}

    async def _answer(self, request: Any, context: Any) -> None:
        self.asked.append(request)
        reason = self.refusals.get(type(request).__name__)
        if reason is not None:
            context.set_trailing_metadata(trailing_metadata(ComptoirError(reason)))
            await context.abort(STATUS[reason], "of no interest")

    async def CreateTenant(self, request: Any, context: Any) -> Any:  # noqa: N802 - the schema's name
        await self._answer(request, context)
        return admin_pb2.CreateTenantResponse(tenant=admin_pb2.Tenant(number=1, name=request.name))

    async def CreateKey(self, request: Any, context: Any) -> Any:  # noqa: N802 - the schema's name
        await self._answer(request, context)
        return admin_pb2.CreateKeyResponse(api_key="cptr_fresh", key=admin_pb2.Key(number=1))

    async def DrainReplica(self, request: Any, context: Any) -> Any:  # noqa: N802 - the schema's name
        raise AssertionError("a start drains nothing")

    async def UndrainReplica(self, request: Any, context: Any) -> Any:  # noqa: N802 - the schema's name
        raise AssertionError("a start drains nothing")


@pytest.fixture
def paths(tmp_path: Path) -> DataPaths:
    paths = DataPaths(tmp_path)
    paths.create()
    return paths


@pytest.fixture
async def admin(paths: DataPaths) -> AsyncIterator[Admin]:
    service = Admin()  # type: ignore[abstract] # nothing else is asked
    server = grpc.aio.server()
    admin_pb2_grpc.add_AdminServiceServicer_to_server(service, server)
    server.add_insecure_port(f"unix:{paths.admin_socket}")
    await server.start()
    yield service
    await server.stop(0)


async def test_a_new_folder_gets_a_tenant_and_a_key_that_only_its_owner_reads(
    paths: DataPaths, admin: Admin
) -> None:
    assert await ensure_first_key(paths) == "cptr_fresh"
    tenant, key = admin.asked
    assert tenant.name == key.tenant == "local"
    assert not key.HasField("quota")
    assert paths.api_key.read_text() == "cptr_fresh\n"
    assert paths.api_key.stat().st_mode & 0o777 == 0o600


async def test_a_folder_with_a_key_keeps_it_and_asks_nobody(paths: DataPaths, admin: Admin) -> None:
    await ensure_first_key(paths)
    admin.asked.clear()
    assert await ensure_first_key(paths) is None
    assert admin.asked == []


async def test_a_tenant_that_a_killed_start_made_is_used(paths: DataPaths, admin: Admin) -> None:
    admin.refusals["CreateTenantRequest"] = Reason.ALREADY_EXISTS
    assert await ensure_first_key(paths) == "cptr_fresh"


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        ("CreateTenantRequest", Reason.INTERNAL),
        ("CreateKeyRequest", Reason.INTERNAL),
        ("CreateKeyRequest", Reason.NOT_FOUND),
    ],
)
async def test_a_router_that_refuses_is_one_sentence_and_leaves_no_file(
    paths: DataPaths, admin: Admin, call: str, reason: Reason
) -> None:
    admin.refusals[call] = reason
    with pytest.raises(StackError, match=rf"made no API key \({reason.name}\)"):
        await ensure_first_key(paths)
    assert not paths.api_key.exists()


async def test_a_router_that_is_away_is_waited_for_only_so_long(
    paths: DataPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(first_key, "_CALL_SECONDS", 0.05)
    with pytest.raises(StackError, match=r"made no API key \(DEADLINE_EXCEEDED\)"):
        await ensure_first_key(paths)
    assert not paths.api_key.exists()
