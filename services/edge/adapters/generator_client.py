"""Calls replicas over gRPC: one channel and one stream per address."""

import asyncio
from collections import OrderedDict
from typing import Any, Final

import grpc
from comptoir.generator.v1 import generator_pb2, generator_pb2_grpc
from google.protobuf.message import DecodeError

from services.edge.adapters.call_errors import call_error
from services.edge.adapters.embed_call import EmbedCall
from services.edge.adapters.joined_generations import GeneratorCall, JoinedGenerations
from services.edge.domain.generation import GenerationRequest
from services.edge.domain.ports import Offer, TokenCount
from services.edge.wire.asked import count_steps, embed_steps, generate_steps
from services.edge.wire.counted import counted_steps
from services.kernel.clock import Clock
from services.kernel.errors import ComptoirError, Reason
from services.kernel.steps import Steps, in_turns
from services.runtime.addresses import GrpcTarget, TlsFiles
from services.runtime.grpc.server import channel
from services.runtime.logs import get_logger
from services.runtime.settings_error import SettingsError

_log = get_logger(__name__)
_MILLISECONDS: Final = 1000
_COUNT_TOKENS: Final = "/comptoir.generator.v1.GeneratorService/CountTokens"
# A call that ends as cancelled was ended by a replica that stops; an older replica does not count.
_INSTEAD_OF_COUNT: Final = dict.fromkeys(
    (Reason.CLIENT_CANCELLED, Reason.ROUTE_NOT_FOUND, Reason.REQUEST_TOO_LARGE), Reason.UNAVAILABLE
)


class GeneratorClient:
    """The Generators port; keeps the channels of the replicas that were asked last.

    More than `max_channels` are open only while more replicas than that answer at once, and a log
    line says so: a request is worth more than the bound. Nothing is sent to a replica whose certificate
    is not of `peer_region`, where there is one.
    """

    def __init__(
        self, tls: TlsFiles | None, clock: Clock, *, max_channels: int, peer_region: str = ""
    ) -> None:
        self._tls = tls
        self._peer_region = peer_region
        self._clock = clock
        self._max_channels = max_channels
        self._channels: OrderedDict[str, _Replica] = OrderedDict()
        self._closing: set[asyncio.Task[None]] = set()

    async def start(
        self, offer: Offer, request: GenerationRequest, *, deadline_seconds: float
    ) -> GeneratorCall | EmbedCall:
        """Returns once the replica accepted the ticket; raises ComptoirError."""
        asked: generator_pb2.EmbedRequest | bytes
        if request.inputs:
            asked = await in_turns(embed_steps(offer, request))
        else:
            asked = await in_turns(_content_steps(offer, request))
        replica = self._replica(offer.generator_address)
        left_seconds = max(1 / _MILLISECONDS, deadline_seconds - self._clock.monotonic_seconds())
        generation: GeneratorCall | EmbedCall
        if isinstance(asked, bytes):
            milliseconds = max(1, round(left_seconds * _MILLISECONDS))
            generation = replica.generations.begin(asked, timeout_milliseconds=milliseconds)
        else:
            generation = replica.embed(asked, left_seconds)
        try:
            await generation.start()
        except BaseException:
            # Also when the client went away meanwhile: no call may outlive the request it is for.
            generation.cancel()
            raise
        return generation

    async def count(
        self, offer: Offer, request: GenerationRequest, *, returns_ids: bool, within_seconds: float
    ) -> TokenCount:
        """Returns how many tokens the prompt of a request has; raises ComptoirError."""
        asked = await in_turns(count_steps(offer, request, returns_ids=returns_ids))
        replica = self._replica(offer.generator_address)
        replica.open_calls += 1
        try:
            content = await replica.count_tokens(asked, timeout=within_seconds)
        except grpc.aio.AioRpcError as failure:
            raise call_error(failure, _INSTEAD_OF_COUNT) from None
        finally:
            replica.open_calls -= 1
        try:
            return await in_turns(counted_steps(content))
        except DecodeError:
            raise ComptoirError(Reason.INTERNAL) from None

    async def close(self) -> None:
        """Closes all channels."""
        for address in list(self._channels):
            self._close(address)
        if self._closing:
            await asyncio.wait(self._closing)

    def _replica(self, address: str) -> "_Replica":
        # Nothing is awaited between the look-up and the call: two requests must not both make a channel.
        replica = self._channels.get(address)
        if replica is None:
            target = self._target(address)
            self._close_excess()
            replica = self._channels[address] = self._connected(target)
        self._channels.move_to_end(address)
        return replica

    def _connected(self, target: GrpcTarget) -> "_Replica":
        try:
            return _Replica(target)
        except SettingsError:
            # Its TLS files are being renewed; those channels that are open have what was in them before.
            _log.error("certificate_unusable", kind=target.address)
            raise ComptoirError(Reason.UNAVAILABLE) from None

    def _target(self, address: str) -> GrpcTarget:
        try:
            return GrpcTarget(address=address, tls=self._tls, peer_region=self._peer_region)
        except ValueError:
            # An address that this edge may not call, such as plaintext to another machine.
            raise ComptoirError(Reason.UNAVAILABLE) from None

    def _close_excess(self) -> None:
        excess = len(self._channels) + 1 - self._max_channels
        if excess <= 0:
            return
        idle = [address for address, replica in self._channels.items() if replica.is_idle]
        for address in idle[:excess]:
            self._close(address)
        if len(idle) < excess:
            _log.warning("too_many_channels", count=len(self._channels) + 1)

    def _close(self, address: str) -> None:
        # In the background: the request that needs a channel does not wait for the close of another.
        task = asyncio.create_task(self._channels.pop(address).close())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)


def _content_steps(offer: Offer, request: GenerationRequest) -> Steps[bytes]:
    asked = yield from generate_steps(offer, request)
    yield
    return asked.SerializeToString()


class _Replica:
    """One replica's channel and the stream on it."""

    def __init__(self, target: GrpcTarget) -> None:
        self.channel = channel(target)
        self.stub: generator_pb2_grpc.GeneratorServiceAsyncStub = generator_pb2_grpc.GeneratorServiceStub(
            self.channel
        )
        # Its answer is read in steps: it may have a million ids.
        self.count_tokens: Any = self.channel.unary_unary(
            _COUNT_TOKENS, request_serializer=generator_pb2.CountTokensRequest.SerializeToString
        )
        self.generations = JoinedGenerations(self.stub)
        self.open_calls = 0

    def embed(self, request: generator_pb2.EmbedRequest, timeout_seconds: float) -> EmbedCall:
        """Returns a call that is on its way to the replica."""
        self.open_calls += 1
        return EmbedCall(self.stub.Embed(request, timeout=timeout_seconds), self._embed_ended)

    def _embed_ended(self) -> None:
        self.open_calls -= 1

    @property
    def is_idle(self) -> bool:
        """Whether no call is open."""
        return not (self.generations.open_calls or self.open_calls)

    async def close(self) -> None:
        """Ends the stream and closes the channel."""
        await self.generations.close()
        await self.channel.close()
