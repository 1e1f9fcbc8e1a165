"""The first tenant and key of a stack, made over the router's admin service."""

from typing import Final

import grpc
from comptoir.router.v1 import admin_pb2, admin_pb2_grpc

from deploy.local.stack.errors import StackError
from deploy.local.stack.paths import DataPaths
from deploy.local.stack.secret_files import write_api_key
from services.kernel.errors import Reason
from services.runtime.grpc.status import error_from

_TENANT: Final = "local"
_CALL_SECONDS: Final = 10.0


async def ensure_first_key(paths: DataPaths) -> str | None:
    """Returns a fresh API key, kept in a file, if this folder has none yet; None if it has one."""
    if paths.api_key.exists():
        return None
    async with grpc.aio.insecure_channel(f"unix:{paths.admin_socket}") as channel:
        stub: admin_pb2_grpc.AdminServiceAsyncStub = admin_pb2_grpc.AdminServiceStub(channel)
        try:
            await _ensure_tenant(stub)
            request = admin_pb2.CreateKeyRequest(tenant=_TENANT, label="made by comptoir up")
            answer = await stub.CreateKey(request, timeout=_CALL_SECONDS, wait_for_ready=True)
        except grpc.aio.AioRpcError as failure:
            reason = error_from(failure).reason.name
            raise StackError(
                f"The router made no API key ({reason}); `comptoir logs router` shows its log."
            ) from None
    write_api_key(paths, answer.api_key)
    return answer.api_key


async def _ensure_tenant(stub: "admin_pb2_grpc.AdminServiceAsyncStub") -> None:
    request = admin_pb2.CreateTenantRequest(name=_TENANT)
    try:
        await stub.CreateTenant(request, timeout=_CALL_SECONDS, wait_for_ready=True)
    except grpc.aio.AioRpcError as failure:
        if error_from(failure).reason is not Reason.ALREADY_EXISTS:
            raise
