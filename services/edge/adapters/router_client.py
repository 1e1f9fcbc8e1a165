"""Calls the router over gRPC, within a bounded time."""

import asyncio
import contextvars
import random
from collections.abc import Callable
from functools import partial
from typing import Final

import grpc
from comptoir.router.v1 import router_pb2, router_pb2_grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from services.edge import wire
from services.edge.adapters.call_errors import call_error
from services.edge.adapters.joined_admissions import JoinedAdmissions
from services.edge.domain.generation import GenerationRequest
from services.edge.domain.nearness import RoundTrips
from services.edge.domain.ports import Admission, CountAdmission, Model, NotReadyReason, Offer, Standing
from services.edge.domain.prefixes import PrefixDigests
from services.kernel.backoff import Backoff
from services.kernel.errors import ComptoirError, Reason
from services.kernel.identity import Identity
from services.runtime.addresses import GrpcTarget
from services.runtime.grpc.interceptors import REQUEST_ID_KEY
from services.runtime.grpc.server import channel
from services.runtime.logs import get_logger, log_failure

_log = get_logger(__name__)

_HEALTH_SECONDS: Final = 1.0
# A router that has left a look open for so long is silent. It may only be busy: what it answers still counts.
_SILENT_SECONDS: Final = 0.4
_MILLISECONDS: Final = 1000
# Of a connection that was refused: requests wait for it, and a router starts in about a second.
_RECONNECT: Final = (("grpc.max_reconnect_backoff_ms", 300),)
# So long a router may be lost that has questions open and a connection that stands.
_HANGING_SECONDS: Final = 1.0
_FIRST_PAUSE_SECONDS: Final = 0.02
_LONGEST_PAUSE_SECONDS: Final = 0.3
# The service whose health says whether the router has a replica that is ready.
_ROUTING: Final = "comptoir.router.v1.RouterService"
# A router that does not answer in time, stops, or has its most calls open is out of reach for now;
# the client's own deadline has not passed, and its request was small enough to be read.
_INSTEAD: Final = dict.fromkeys(
    (Reason.DEADLINE_EXCEEDED, Reason.CLIENT_CANCELLED, Reason.REQUEST_TOO_LARGE), Reason.UNAVAILABLE
)
# An admission has the time of its client's request: the router may hold it for as long as the client waits.
_INSTEAD_OF_ADMISSION: Final = dict.fromkeys(
    (Reason.CLIENT_CANCELLED, Reason.REQUEST_TOO_LARGE), Reason.UNAVAILABLE
)


class RouterClient:
    """The RouterLink port on one gRPC channel."""

    def __init__(
        self, target: GrpcTarget, *, timeout_seconds: float, prefixes: PrefixDigests | None = None
    ) -> None:
        self._timeout_seconds = timeout_seconds
        self._prefixes = prefixes
        self._channel = channel(target, options=_RECONNECT)
        self._stub: router_pb2_grpc.RouterServiceAsyncStub = router_pb2_grpc.RouterServiceStub(self._channel)
        self._admissions = JoinedAdmissions(self._stub, _INSTEAD_OF_ADMISSION)
        self._health = health_pb2_grpc.HealthStub(self._channel)
        self._address = target.address
        self._standing = Standing.PLACING
        self._round_trips = RoundTrips()
        # Since when a look is open.
        self._looking_seconds: float | None = None
        self._following: asyncio.Task[None] | None = None
        self._served_again: Callable[[], None] = _nobody

    @property
    def standing(self) -> Standing:
        """What was heard of the router last; PLACING before that."""
        since_seconds = self._looking_seconds
        if since_seconds is None or _loop_seconds() - since_seconds < _SILENT_SECONDS:
            return self._standing
        return min(self._standing, Standing.SILENT)

    @property
    def round_trip_seconds(self) -> float | None:
        """How far away the router is, by the looks at it; None while that is not known."""
        return self._round_trips.least_seconds

    def lose(self) -> None:
        """Takes note that the router did not answer; asks whether it serves until it does."""
        if self._following is None:
            _log.warning("router_lost", address=self._address)
            self._standing = Standing.LOST
            self._round_trips.forget()
            # Not in the context of the request that happens to be the first to notice.
            self._following = asyncio.create_task(self._follow(), context=contextvars.Context())

    async def look(self) -> None:
        """Asks the router, for two seconds at most, unless it is asked already because it is lost."""
        standing = await self._look()
        if self._following is not None:
            return
        if standing is Standing.LOST:
            self.lose()
        else:
            self._standing = standing

    def tell(self, served_again: Callable[[], None]) -> None:
        """Sets what is called each time that the router serves again."""
        self._served_again = served_again

    async def admit(
        self,
        *,
        key: str,
        request: GenerationRequest,
        request_id: Identity,
        within_seconds: float,
        source: int = 0,
    ) -> Admission:
        """Reserves quota and returns an offer, perhaps before it is durable; raises ComptoirError."""
        digests = () if self._prefixes is None else self._prefixes.of(key, request)
        asked = wire.admit_request(key, request, request_id, source, digests)
        # The request's text may be gone by the time that it asks again.
        needs = asked.needs
        call = self._admissions.ask(
            asked,
            timeout_milliseconds=max(1, round(within_seconds * _MILLISECONDS)),
        )
        try:
            async with asyncio.timeout(within_seconds):
                response = await call.admitted()
            lease = wire.lease_of(response)
            question = wire.next_offer_request(key, lease, request.endpoint, needs)
            next_offer = partial(self._next_offer, question)
            hedge = partial(self._next_offer, wire.as_hedge(question))
            return wire.admission_from(
                response, call.recorded, next_offer, partial(self._release, lease), hedge
            )
        except TimeoutError:
            call.cancel()
            raise ComptoirError(Reason.DEADLINE_EXCEEDED) from None
        except asyncio.CancelledError:
            call.cancel()
            raise

    async def admit_count(
        self, *, key: str, request: GenerationRequest, request_id: Identity, source: int = 0
    ) -> CountAdmission:
        """Returns an offer to count the prompt of a request; raises ComptoirError."""
        question = router_pb2.AdmitCountRequest(
            api_key=key,
            model=request.model,
            prompt_tokens_upper_bound=request.prompt_tokens_upper_bound,
            request_id_high=request_id.high,
            request_id_low=request_id.low,
            source=source,
        )
        try:
            response = await self._stub.AdmitCount(
                question, timeout=self._timeout_seconds, metadata=_metadata(request_id)
            )
        except grpc.aio.AioRpcError as failure:
            raise call_error(failure, _INSTEAD) from None
        return wire.count_admission_from(response)

    async def list_models(self, *, key: str, request_id: Identity, source: int = 0) -> tuple[Model, ...]:
        """Returns the models of a key under each of their names, retired ones last; raises ComptoirError."""
        request = router_pb2.ListModelsRequest(api_key=key, source=source)
        try:
            response = await self._stub.ListModels(
                request, timeout=self._timeout_seconds, metadata=_metadata(request_id)
            )
        except grpc.aio.AioRpcError as failure:
            raise call_error(failure, _INSTEAD) from None
        return wire.models_from(response)

    async def not_ready_reason(self) -> NotReadyReason | None:
        """Asks the router, for a second at most: it serves, and has a replica that is ready."""
        if not await self._serves(""):
            return NotReadyReason.ROUTER_UNREACHABLE
        return None if await self._serves(_ROUTING) else NotReadyReason.NO_REPLICA

    async def _next_offer(self, request: router_pb2.NextOfferRequest) -> Offer:
        call = self._admissions.ask_next(request)
        try:
            async with asyncio.timeout(self._timeout_seconds):
                return wire.offer_from(await call.offered())
        except TimeoutError:
            raise ComptoirError(Reason.UNAVAILABLE) from None
        finally:
            call.cancel()

    async def _release(self, lease: Identity) -> None:
        request = router_pb2.ReleaseRequest(lease_id_high=lease.high, lease_id_low=lease.low)
        try:
            await self._stub.Release(request, timeout=self._timeout_seconds)
        except grpc.aio.AioRpcError as failure:
            raise call_error(failure, _INSTEAD) from None

    async def _follow(self) -> None:
        """Returns once the router serves: as soon as it is connected, where it was not."""
        backoff, loop = Backoff(_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS), asyncio.get_running_loop()
        gives_up_seconds = loop.time() + _HANGING_SECONDS
        while (standing := await self._look_again()) is Standing.LOST:
            if loop.time() > gives_up_seconds:
                # What it was asked and has not answered by now is asked again, of another one.
                await self._admissions.close()
            await asyncio.sleep(backoff.next_seconds(jitter=random.random()))  # noqa: S311 - spreads retries
        _log.info("router_found", address=self._address)
        self._standing, self._following = standing, None
        self._served_again()

    async def _look_again(self) -> Standing:
        try:
            return await self._look(waits=True)
        except Exception as defect:  # noqa: BLE001 - a router that nobody asks again is lost for ever
            log_failure(_log, "router_look_failed", defect, address=self._address)
            return Standing.LOST

    async def _look(self, *, waits: bool = False) -> Standing:
        since_seconds = self._looking_seconds = _loop_seconds()
        try:
            if not await self._serves("", waits=waits):
                return Standing.LOST
            if not waits:
                # One that waits for its connection says nothing of the way.
                self._round_trips.add(_loop_seconds() - since_seconds)
            return Standing.PLACING if await self._serves(_ROUTING) else Standing.SERVING
        finally:
            self._looking_seconds = None

    async def _serves(self, service: str, *, waits: bool = False) -> bool:
        """Asks for a second at most; at a connection that is being made, fails at once unless it waits."""
        request = health_pb2.HealthCheckRequest(service=service)
        try:
            answer = await self._health.Check(request, timeout=_HEALTH_SECONDS, wait_for_ready=waits)
        except grpc.aio.AioRpcError as failure:
            # A router from before there was this health says nothing of its replicas.
            return bool(service) and failure.code() is grpc.StatusCode.NOT_FOUND
        return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)

    async def close(self) -> None:
        """Ends the stream and closes the channel."""
        if self._following is not None:
            self._following.cancel()
            await asyncio.wait([self._following])
        await self._admissions.close()
        await self._channel.close()


def _loop_seconds() -> float:
    return asyncio.get_running_loop().time()


def _metadata(request_id: Identity) -> tuple[tuple[str, str], ...]:
    return ((REQUEST_ID_KEY, request_id.hex),)


def _nobody() -> None:
    """Is told of nothing."""
