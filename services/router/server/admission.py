"""RouterService: one method per call, one step of the domain each."""

from collections.abc import AsyncIterator

from comptoir.router.v1 import router_pb2, router_pb2_grpc

from services.router.domain.admission import Admitter
from services.router.domain.counting import CountAdmitter
from services.router.domain.leases import Leases
from services.router.server.joined import JoinedAdmissions
from services.router.wire import admission as wire
from services.runtime.grpc.interceptors import Context
from services.runtime.grpc.joined.answers import JoinedStreams


class RouterServer(router_pb2_grpc.RouterServiceServicer):
    """Answers the edges and internal services."""

    def __init__(
        self, streams: JoinedStreams, admission: Admitter, counts: CountAdmitter, leases: Leases
    ) -> None:
        self._streams = streams
        self._admission = admission
        self._counts = counts
        self._leases = leases

    async def Admit(  # noqa: N802 - the schema's name
        self, request: router_pb2.AdmitRequest, context: Context
    ) -> router_pb2.AdmitResponse:
        """Admits or refuses a request."""
        del context
        return wire.admit_response(await self._admission.admit(wire.admit_request(request)))

    async def AdmitMany(  # type: ignore[override] # noqa: N802 - the schema's name
        self, requests: AsyncIterator[router_pb2.AdmitManyRequest], context: Context
    ) -> None:
        """Admits or refuses many requests, ahead of their records."""
        stream = JoinedAdmissions(self._streams, self._admission)
        await stream.answers.serve(requests, stream.receive, context.write)

    async def NextOffer(  # noqa: N802 - the schema's name
        self, request: router_pb2.NextOfferRequest, context: Context
    ) -> router_pb2.NextOfferResponse:
        """Signs another ticket of a lease."""
        del context
        asked = wire.next_offer_request(request)
        offer = await self._admission.next_offer(*asked, is_hedge=request.is_hedge, needs=request.needs)
        return router_pb2.NextOfferResponse(offer=wire.ticket_offer(offer))

    async def AdmitCount(  # noqa: N802 - the schema's name
        self, request: router_pb2.AdmitCountRequest, context: Context
    ) -> router_pb2.AdmitCountResponse:
        """Permits a count, or refuses it."""
        del context
        return wire.count_response(await self._counts.admit(wire.count_request(request)))

    async def Release(  # noqa: N802 - the schema's name
        self, request: router_pb2.ReleaseRequest, context: Context
    ) -> router_pb2.ReleaseResponse:
        """Gives an unused lease back."""
        del context
        is_released = await self._leases.release(wire.lease_of(request))
        return router_pb2.ReleaseResponse(is_released=is_released)

    async def ListModels(  # noqa: N802 - the schema's name
        self, request: router_pb2.ListModelsRequest, context: Context
    ) -> router_pb2.ListModelsResponse:
        """Lists the models of a key."""
        del context
        return wire.models_response(await self._admission.models_of(request.api_key, request.source))
