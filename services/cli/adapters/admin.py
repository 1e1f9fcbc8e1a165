"""Calls of a router's admin service, which end in an answer or in one sentence."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, TypeAlias

import grpc
from comptoir.router.v1 import admin_pb2_grpc
from pydantic import ValidationError

from deploy.local.stack.errors import StackError
from deploy.local.stack.paths import DataPaths
from services.kernel.errors import ComptoirError, Reason
from services.runtime.addresses import WITHOUT_PROXY, GrpcTarget
from services.runtime.grpc.status import error_from

CALL_SECONDS: Final = 10.0
_SENTENCES: Final = {
    Reason.USAGE_NOT_RECORDED: "The router cannot record the act, so it is not done; does the emitter run? "
    "`comptoir status` tells.",
    Reason.UNAVAILABLE: "The router's admin service cannot be reached; `comptoir status` tells what runs.",
}

# Only the stubs' types know the asynchronous one.
Stub: TypeAlias = "admin_pb2_grpc.AdminServiceAsyncStub"


def call_admin(
    data_dir: Path,
    admin: str,
    method: Callable[[Stub], Awaitable[Any]],
    sentences: Mapping[Reason, str] = _SENTENCES,
) -> Any:  # the method's own answer
    """Returns the answer of the service at `admin`, or of the stack in `data_dir`.

    StackError with the sentence of the reason otherwise; `{field}` in it is the field that broke a rule.
    """
    address = _checked(admin) if admin else f"unix:{DataPaths(data_dir.resolve()).admin_socket}"

    async def call() -> Any:  # the method's own answer
        async with grpc.aio.insecure_channel(address, options=[WITHOUT_PROXY]) as channel:
            return await method(admin_pb2_grpc.AdminServiceStub(channel))

    try:
        return asyncio.run(call())
    except grpc.aio.AioRpcError as failure:
        raise StackError(_sentence(error_from(failure), sentences)) from None


def _checked(admin: str) -> str:
    """Returns an address that only this machine can reach: secrets of keys go there and come back."""
    try:
        return GrpcTarget(address=admin).address
    except ValidationError:
        raise StackError("--admin must be unix:/path, or host:port of this machine.") from None


def _sentence(error: ComptoirError, sentences: Mapping[Reason, str]) -> str:
    known = {**_SENTENCES, **sentences}
    said = known.get(error.reason, f"The router refused: {error.reason.name}.")
    return said.format(field=error.field, until=_minute(error))


def _minute(error: ComptoirError) -> str:
    """Returns the moment that a refusal says, where it says one."""
    if error.reason is not Reason.OVERLAP_NOT_OVER:
        return ""
    return f"{datetime.fromtimestamp(error.numbers.limit, UTC):%Y-%m-%d %H:%M}"
