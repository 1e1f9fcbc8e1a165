"""Calls replicas over gRPC: one channel per address, one call per answer."""

import asyncio
from collections import OrderedDict
from typing import Final, TypeAlias

import grpc
from comptoir.generator.v1 import generator_pb2, generator_pb2_grpc

from services.edge import wire
from services.edge.adapters.call_errors import call_error
from services.edge.domain.generation import Counts, Delta, GenerationRequest
from services.edge.domain.ports import Offer
from services.kernel.clock import Clock
from services.kernel.errors import ComptoirError, Reason
from services.kernel.identity import Identity
from services.runtime.addresses import GrpcTarget, TlsFiles
from services.runtime.grpc.interceptors import REQUEST_ID_KEY
from services.runtime.grpc.server import channel
from services.runtime.logs import get_logger

_Call: TypeAlias = "grpc.aio.UnaryStreamCall[generator_pb2.GenerateRequest, generator_pb2.GenerateResponse]"

_log = get_logger(__name__)
# Statuses that gRPC itself gives: a replica that stops cancels its calls, and one that has its most
# calls open says RESOURCE_EXHAUSTED. Neither is the client's doing.
_INSTEAD: Final = {
    Reason.CLIENT_CANCELLED: Reason.UNAVAILABLE,
    Reason.REQUEST_TOO_LARGE: Reason.REPLICA_OVERLOADED,
}


class GeneratorClient:
    """The Generators port; keeps the channels of the replicas that were asked last.

    More than `max_channels` are open only while more replicas than that answer at once, and a log
    line says so: a request is worth more than the bound.
    """

    def __init__(self, tls: TlsFiles | None, clock: Clock, *, max_channels: int) -> None:
        self._tls = tls
        self._clock = clock
        self._max_channels = max_channels
        self._channels: OrderedDict[str, _Replica] = OrderedDict()
        self._closing: set[asyncio.Task[None]] = set()

    async def start(
        self, offer: Offer, request: GenerationRequest, *, request_id: Identity, deadline_seconds: float
    ) -> "GeneratorCall":
        """Returns once the replica accepted the ticket; raises ComptoirError."""
        replica = self._replica(offer.generator_address)
        call = replica.stub.Generate(
            wire.generate_request(offer, request),
            timeout=max(0.0, deadline_seconds - self._clock.monotonic_seconds()),
            metadata=((REQUEST_ID_KEY, request_id.hex),),
        )
        replica.open_calls += 1
        call.add_done_callback(replica.forget_call)
        generation = GeneratorCall(call)
        try:
            await generation.start()
        except BaseException:
            # Also when the client went away meanwhile: no call may outlive the request it is for.
            call.cancel()
            raise
        return generation

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
            replica = self._channels[address] = _Replica(target)
        self._channels.move_to_end(address)
        return replica

    def _target(self, address: str) -> GrpcTarget:
        try:
            return GrpcTarget(address=address, tls=self._tls)
        except ValueError:
            # An address that this edge may not call, such as plaintext to another machine.
            raise ComptoirError(Reason.UNAVAILABLE) from None

    def _close_excess(self) -> None:
        excess = len(self._channels) + 1 - self._max_channels
        if excess <= 0:
            return
        idle = [address for address, replica in self._channels.items() if not replica.open_calls]
        for address in idle[:excess]:
            self._close(address)
        if len(idle) < excess:
            _log.warning("too_many_channels", count=len(self._channels) + 1)

    def _close(self, address: str) -> None:
        # In the background: the request that needs a channel does not wait for the close of another.
        task = asyncio.create_task(self._channels.pop(address).channel.close())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)


class GeneratorCall:
    """The Generation port on one call."""

    def __init__(self, call: _Call) -> None:
        self._call = call
        self.counts: Counts | None = None

    async def start(self) -> None:
        """Waits until the replica accepted the ticket; raises ComptoirError."""
        message = await self._read()
        if message is None or message.WhichOneof("event") != "started":
            raise ComptoirError(Reason.INTERNAL)

    async def next_delta(self) -> Delta | None:
        """Returns what comes next, None when the answer is whole; raises ComptoirError."""
        if self.counts is not None:
            return None
        message = await self._read()
        if message is None:
            # The stream ended well and without its last message: the answer is not whole.
            raise ComptoirError(Reason.UNAVAILABLE)
        if message.HasField("delta"):
            return wire.delta_from(message.delta)
        if not message.HasField("finished"):
            self._call.cancel()
            raise ComptoirError(Reason.INTERNAL)
        self.counts = wire.counts_from(message.finished)
        return wire.finish_from(message.finished)

    def cancel(self) -> None:
        """Stops the replica's work at once; harmless at any time."""
        self._call.cancel()

    async def _read(self) -> generator_pb2.GenerateResponse | None:
        try:
            message = await self._call.read()
        except grpc.aio.AioRpcError as failure:
            raise call_error(failure, _INSTEAD) from None
        return message if isinstance(message, generator_pb2.GenerateResponse) else None


class _Replica:
    """One replica's channel and how many calls are open on it."""

    def __init__(self, target: GrpcTarget) -> None:
        self.channel = channel(target)
        self.stub: generator_pb2_grpc.GeneratorServiceAsyncStub = generator_pb2_grpc.GeneratorServiceStub(
            self.channel
        )
        self.open_calls = 0

    def forget_call(self, _call: object) -> None:
        """Counts an ended call."""
        self.open_calls -= 1
