"""The asyncio client's channels: one to the router, one to each replica that was asked last."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypeVar, cast

import grpc
from comptoir.client.answers import messages_of
from comptoir.client.channels import (
    ANSWER_SECONDS,
    OPTIONS,
    PLAINTEXT_OPTIONS,
    RELEASE_SECONDS,
    Pool,
    Routers,
    Slot,
    check_address,
    is_unanswered,
)
from comptoir.client.chat import Admissible, Order, release_request
from comptoir.client.counting import CountOrder
from comptoir.client.embedding import EmbedOrder
from comptoir.client.errors import Failure, is_said, is_unknown_method, unreachable
from comptoir.generator.v1.generator_pb2 import (
    CountTokensResponse,
    EmbedRequest,
    EmbedResponse,
    GenerateRequest,
    GenerateResponse,
    GenerateWholeResponse,
    GetModelInfoRequest,
    GetModelInfoResponse,
)
from comptoir.generator.v1.generator_pb2_grpc import GeneratorServiceStub
from comptoir.router.v1.router_pb2 import AdmitResponse, TicketOffer
from comptoir.router.v1.router_pb2_grpc import RouterServiceStub

if TYPE_CHECKING:
    from comptoir.generator.v1.generator_pb2_grpc import GeneratorServiceAsyncStub
    from comptoir.router.v1.router_pb2_grpc import RouterServiceAsyncStub

Said = TypeVar("Said")

_WholeCall: TypeAlias = "grpc.aio.UnaryUnaryCall[GenerateRequest, GenerateWholeResponse]"
_EmbedCall: TypeAlias = "grpc.aio.UnaryStreamCall[EmbedRequest, EmbedResponse]"


class Stream(Protocol):
    """The open call of a generation."""

    async def read(self) -> Any:
        """Returns the next message, or gRPC's EOF."""
        ...

    def cancel(self) -> bool:
        """Ends it; harmless at any time."""
        ...


class WholeAnswer:
    """The open call of a whole answer, read as the stream that would say the same.

    A replica that is older than whole answers used no ticket up: it is asked for the stream.
    """

    def __init__(self, call: "_WholeCall", ask_for_stream: Callable[[], Stream]) -> None:
        self._call = call
        self._ask_for_stream = ask_for_stream
        self._messages: Iterator[GenerateResponse] = iter(())
        self._is_heard = False
        self._is_cancelled = False
        self._stream: Stream | None = None

    async def read(self) -> Any:
        """Returns the next message, or gRPC's EOF."""
        if not self._is_heard:
            await self._hear()
        return next(self._messages, grpc.aio.EOF) if self._stream is None else await self._stream.read()

    def cancel(self) -> bool:
        """Ends it."""
        self._is_cancelled = True
        return self._call.cancel() if self._stream is None else self._stream.cancel()

    async def _hear(self) -> None:
        try:
            self._messages = messages_of(await self._call)
        except grpc.aio.AioRpcError as failure:
            # gRPC's types give its metadata another name.
            if self._is_cancelled or not is_unknown_method(cast("Failure", failure)):
                raise
            self._stream = self._ask_for_stream()
        self._is_heard = True


class VectorStream:
    """The open call of a request for vectors, read as the generation that `EmbedOrder` makes of it."""

    def __init__(self, call: "_EmbedCall", order: EmbedOrder) -> None:
        self._call = call
        self._order = order

    async def read(self) -> Any:
        """Returns the next message, or gRPC's EOF."""
        message = await self._call.read()
        return self._order.heard(message) if isinstance(message, EmbedResponse) else message

    def cancel(self) -> bool:
        """Ends it."""
        return self._call.cancel()


@dataclass(frozen=True, slots=True)
class Router:
    """The channel to one router."""

    channel: grpc.aio.Channel
    stub: "RouterServiceAsyncStub"


@dataclass(frozen=True, slots=True)
class _Replica:
    """The channel to one address."""

    channel: grpc.aio.Channel
    stub: "GeneratorServiceAsyncStub"


class Connections:
    """What a client calls through, in one event loop; channels are made in it, when they are needed."""

    def __init__(
        self, router: str | Sequence[str], tls: grpc.ChannelCredentials | None, *, max_channels: int
    ) -> None:
        self.routers = Routers(router, self._router)
        for address in self.routers.addresses:
            check_address(address, tls)
        self._tls = tls
        self._replicas = Pool(self._replica, self._drop, most=max_channels)
        self._in_background: set[asyncio.Task[None]] = set()
        self.is_closed = False

    async def ask(
        self,
        question: "Callable[[RouterServiceAsyncStub, float], Awaitable[Said]]",
        left_seconds: Callable[[], float],
    ) -> Said:
        """Asks one router after the other until one answers; raises what the last one failed with.

        The question is given its router and its time, of which the last router has all that is left.
        """
        left, further = len(self.routers.addresses), 0
        while True:
            router, left = self.routers.present(further), left - 1
            seconds = min(ANSWER_SECONDS, left_seconds()) if left else left_seconds()
            try:
                return await question(router.stub, seconds)
            except grpc.aio.AioRpcError as failure:
                if not is_unanswered(failure.code()):
                    raise
                # One that has no replica lives, and is asked first the next time too.
                if is_said(cast_failure(failure)) or not self.routers.lose(router):
                    further += 1
                if not left:
                    raise

    def open(self, offer: TicketOffer, order: Order | EmbedOrder, max_output_tokens: int) -> Stream:
        """Returns the open call of an order to the replica of an offer; raises ComptoirError."""
        if isinstance(order, EmbedOrder):
            return self._embed(offer, order)
        return self.generate(offer, order, is_one_message=order.is_one_message(max_output_tokens))

    def generate(self, offer: TicketOffer, order: Order, *, is_one_message: bool) -> Stream:
        """Returns the open call of an order to the replica of an offer; raises ComptoirError."""
        slot = self._borrow(offer)
        stub, request = slot.kept.stub, order.generate_request(offer)
        if is_one_message:
            whole = stub.GenerateWhole(request, timeout=order.left_seconds, metadata=order.metadata)
            whole.add_done_callback(lambda _call: self._replicas.give_back(slot))
            return WholeAnswer(whole, partial(self.generate, offer, order, is_one_message=False))
        stream = stub.Generate(request, timeout=order.left_seconds, metadata=order.metadata)
        stream.add_done_callback(lambda _call: self._replicas.give_back(slot))
        return stream

    async def count(self, offer: TicketOffer, order: CountOrder) -> CountTokensResponse:
        """Returns what the replica of an offer counted; raises ComptoirError or grpc.aio.AioRpcError."""
        with self._replica_of(offer) as replica:
            return await replica.stub.CountTokens(
                order.count_request(offer), timeout=order.left_seconds, metadata=order.metadata
            )

    async def describe(self, offer: TicketOffer, order: CountOrder) -> GetModelInfoResponse:
        """Returns what the replica of an offer serves; raises as `count`."""
        with self._replica_of(offer) as replica:
            return await replica.stub.GetModelInfo(
                GetModelInfoRequest(), timeout=order.left_seconds, metadata=order.metadata
            )

    def release(self, admitted: AdmitResponse, order: Admissible, lender: Router) -> None:
        """Gives a lease back to the router that lent it, and waits for nothing."""
        if not self.is_closed:
            self._start(_give_back(admitted, order, lender))

    async def close(self) -> None:
        """Waits until what was given back has arrived, within a bounded time, and closes the channels."""
        self.is_closed = True
        if self._in_background:
            await asyncio.wait(self._in_background, timeout=RELEASE_SECONDS)
        for replica in self._replicas.clear():
            await replica.channel.close()
        for router in self.routers.made():
            await router.channel.close()

    def _embed(self, offer: TicketOffer, order: EmbedOrder) -> Stream:
        slot = self._borrow(offer)
        call = slot.kept.stub.Embed(
            order.embed_request(offer), timeout=order.left_seconds, metadata=order.metadata
        )
        call.add_done_callback(lambda _call: self._replicas.give_back(slot))
        return VectorStream(call, order)

    @contextmanager
    def _replica_of(self, offer: TicketOffer) -> "Iterator[_Replica]":
        slot = self._borrow(offer)
        try:
            yield slot.kept
        finally:
            self._replicas.give_back(slot)

    def _borrow(self, offer: TicketOffer) -> "Slot[_Replica]":
        try:
            return self._replicas.borrow(offer.generator_address)
        except ValueError:
            # An address that this client may not call, such as plaintext to another machine.
            raise unreachable() from None

    def _start(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._in_background.add(task)
        task.add_done_callback(self._in_background.discard)

    def _drop(self, replica: _Replica) -> None:
        self._start(replica.channel.close())

    def _router(self, address: str) -> Router:
        channel = self._connect(address)
        return Router(channel, RouterServiceStub(channel))

    def _replica(self, address: str) -> _Replica:
        channel = self._connect(address)
        return _Replica(channel, GeneratorServiceStub(channel))

    def _connect(self, address: str) -> grpc.aio.Channel:
        check_address(address, self._tls)
        if self._tls is None:
            return grpc.aio.insecure_channel(address, PLAINTEXT_OPTIONS)
        return grpc.aio.secure_channel(address, self._tls, OPTIONS)


async def _give_back(admitted: AdmitResponse, order: Admissible, lender: Router) -> None:
    # A lease that does not arrive ends with its tickets, seconds later.
    with suppress(grpc.aio.AioRpcError):
        await lender.stub.Release(release_request(admitted), timeout=RELEASE_SECONDS, metadata=order.metadata)


def cast_failure(failure: grpc.aio.AioRpcError) -> Failure:
    """Returns the error of a call: gRPC's types give its metadata another name."""
    return cast("Failure", failure)
