"""A router's admin service, of which the console only asks what it shows."""

from typing import Final

import grpc
from comptoir.router.v1 import admin_pb2, admin_pb2_grpc

from services.console import wire
from services.console.domain.capacity import Fleet
from services.console.domain.errors import SourceAwayError
from services.console.domain.tenants import Tenants
from services.kernel.errors import Reason
from services.runtime.addresses import GrpcTarget
from services.runtime.grpc.server import channel
from services.runtime.grpc.status import error_from

_CALL_SECONDS: Final = 10.0
_PAGE_SIZE: Final = 500
_MOST_PAGES: Final = 4


class RouterAdmin:
    """One channel to one router; close it when nobody asks any more."""

    def __init__(self, target: GrpcTarget) -> None:
        self._channel = channel(target)
        self._stub: admin_pb2_grpc.AdminServiceAsyncStub = admin_pb2_grpc.AdminServiceStub(self._channel)

    async def fleet(self) -> Fleet:
        """Returns the replicas, and what holds batch back."""
        try:
            answer = await self._stub.ListReplicas(admin_pb2.ListReplicasRequest(), timeout=_CALL_SECONDS)
        except grpc.aio.AioRpcError as failure:
            raise _away(failure) from None
        return wire.fleet(answer)

    async def tenants(self) -> Tenants:
        """Returns the first two thousand tenants with what they used: an act on record for every page."""
        pages = []
        request = admin_pb2.ListTenantsRequest(page_size=_PAGE_SIZE, with_spending=True)
        try:
            for _ in range(_MOST_PAGES):
                pages.append(await self._stub.ListTenants(request, timeout=_CALL_SECONDS))
                request.page_token = pages[-1].next_page_token
                if not request.page_token:
                    break
        except grpc.aio.AioRpcError as failure:
            raise _away(failure) from None
        return wire.tenants(pages)

    async def close(self) -> None:
        """Closes the channel."""
        await self._channel.close()


def _away(failure: grpc.aio.AioRpcError) -> SourceAwayError:
    reason = error_from(failure).reason
    if reason is Reason.CALLER_NOT_ALLOWED:
        return SourceAwayError(
            "The router lets nobody with the console's certificate ask; see router.admin_listen.callers."
        )
    if reason is Reason.USAGE_NOT_RECORDED:
        return SourceAwayError("The router cannot record the act and so shows nothing; does the emitter run?")
    return SourceAwayError("The router's admin service does not answer.")
