"""Calls of a router's admin service, which end in an answer or in one sentence."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, TypeAlias

import grpc
from comptoir.router.v1 import admin_pb2_grpc
from pydantic import ValidationError

from deploy.local.stack.errors import StackError
from deploy.local.stack.paths import DataPaths
from services.cli.adapters.handshake import check_handshake
from services.cli.operator_tls import OPERATOR_TLS
from services.kernel.errors import ComptoirError, Reason
from services.runtime.addresses import WITHOUT_PROXY, GrpcTarget
from services.runtime.grpc.status import error_from

CALL_SECONDS: Final = 10.0
PAGE_SIZE: Final = 500
_TLS_FILES: Final = 3
_SENTENCES: Final = {
    Reason.USAGE_NOT_RECORDED: "The router cannot record the act, so it is not done; does the emitter run? "
    "`comptoir status` tells.",
    Reason.CALLER_NOT_ALLOWED: "The router does not let the name in your certificate make this call: it must "
    "stand in router.admin_listen.callers under AdminService, or under the call's own "
    "name, and be of router.admin_listen.peer_region where that is set.",
    Reason.UNAVAILABLE: "The router's admin service cannot be reached; `comptoir status` tells what runs.",
}


class RefusedError(StackError):
    """A call that was refused, with the reason beside its sentence."""

    def __init__(self, reason: Reason, sentence: str) -> None:
        super().__init__(sentence)
        self.reason = reason


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
    target = _target(admin) if admin else None
    socket = f"unix:{DataPaths(data_dir.resolve()).admin_socket}"

    async def call() -> Any:  # the method's own answer
        if target is not None and target.tls is not None:
            await check_handshake(target)
        async with _channel(target or GrpcTarget(address=socket)) as channel:
            return await method(admin_pb2_grpc.AdminServiceStub(channel))

    try:
        return asyncio.run(call())
    except grpc.aio.AioRpcError as failure:
        error = error_from(failure)
        raise RefusedError(error.reason, _sentence(error, sentences)) from None


async def pages(method: Callable[..., Awaitable[Any]], request: Any) -> AsyncIterator[Any]:
    """Yields the answers of a listing RPC, one after the other."""
    request.page_size = PAGE_SIZE
    while True:
        answer = await method(request, timeout=CALL_SECONDS)
        yield answer
        if not answer.next_page_token:
            return
        request.page_token = answer.next_page_token


async def listed(method: Callable[..., Awaitable[Any]], request: Any, field: str) -> AsyncIterator[Any]:
    """Yields what a listing RPC has under a field, of which a page at a time is held."""
    async for page in pages(method, request):
        for one in getattr(page, field):
            yield one


def _target(admin: str) -> GrpcTarget:
    """Returns where to call: secrets go there and come back, so in plaintext on this machine alone."""
    files = OPERATOR_TLS.get()
    named = [file for file in (files.ca, files.certificate, files.key) if file is not None]
    is_socket = admin.startswith("unix:")
    if named and len(named) < _TLS_FILES and not is_socket:
        raise StackError("--ca, --certificate and --key go together: name all three, or none.")
    tls = None
    if named and not is_socket:
        tls = {"ca_file": files.ca, "certificate_file": files.certificate, "private_key_file": files.key}
    try:
        return GrpcTarget.model_validate({"address": admin, "tls": tls})
    except ValidationError:
        raise StackError(
            "--admin must be unix:/path, or host:port; beyond this machine with --ca, --certificate and "
            "--key, or COMPTOIR_ADMIN_CA, COMPTOIR_ADMIN_CERTIFICATE and COMPTOIR_ADMIN_KEY."
        ) from None


def _channel(target: GrpcTarget) -> grpc.aio.Channel:
    if target.tls is None:
        return grpc.aio.insecure_channel(target.address, options=[WITHOUT_PROXY])
    credentials = target.tls.channel_credentials()
    return grpc.aio.secure_channel(target.address, credentials, options=[WITHOUT_PROXY])


def _sentence(error: ComptoirError, sentences: Mapping[Reason, str]) -> str:
    known = {**_SENTENCES, **sentences}
    said = known.get(error.reason, f"The router refused: {error.reason.name}.")
    return said.format(field=error.field, until=_minute(error))


def _minute(error: ComptoirError) -> str:
    """Returns the moment that a refusal says, where it says one."""
    if error.reason is not Reason.OVERLAP_NOT_OVER:
        return ""
    return f"{datetime.fromtimestamp(error.numbers.limit, UTC):%Y-%m-%d %H:%M}"
