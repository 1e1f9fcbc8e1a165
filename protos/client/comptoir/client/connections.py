"""The blocking client's channels: one to the router, one to each replica that was asked last."""

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol, TypeAlias, TypeVar, cast

import grpc
from comptoir.client.alarms import Alarms
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
from comptoir.client.errors import Failure, cancelled, is_said, is_unknown_method, unreachable
from comptoir.generator.v1.generator_pb2 import (
    CountTokensResponse,
    EmbedResponse,
    GenerateResponse,
    GenerateWholeResponse,
    GetModelInfoRequest,
    GetModelInfoResponse,
)
from comptoir.generator.v1.generator_pb2_grpc import GeneratorServiceStub
from comptoir.router.v1.router_pb2 import AdmitResponse, ReleaseResponse, TicketOffer
from comptoir.router.v1.router_pb2_grpc import RouterServiceStub

Said = TypeVar("Said")

_Release: TypeAlias = "grpc.Future[ReleaseResponse]"
_WholeCall: TypeAlias = "grpc.Future[GenerateWholeResponse]"


class Cancellable(Protocol):
    """A call that is open."""

    def cancel(self) -> bool:
        """Ends it; harmless at any time and from any thread."""
        ...


class Stream(Cancellable, Protocol):
    """The open call of a generation."""

    def __next__(self) -> GenerateResponse: ...


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

    def __next__(self) -> GenerateResponse:
        if not self._is_heard:
            self._hear()
        return next(self._messages) if self._stream is None else next(self._stream)

    def cancel(self) -> bool:
        """Ends it."""
        self._is_cancelled = True
        return self._call.cancel() if self._stream is None else self._stream.cancel()

    def _hear(self) -> None:
        try:
            self._messages = messages_of(self._call.result())
        except grpc.FutureCancelledError:
            raise cancelled() from None
        except grpc.RpcError as failure:
            if not is_unknown_method(cast_failure(failure)):
                raise
            self._stream = self._ask_for_stream()
            if self._is_cancelled:
                # Another thread cancelled it meanwhile, and did not see this call.
                self._stream.cancel()
        self._is_heard = True


class EmbedCall(Cancellable, Protocol):
    """The open call of a request for vectors."""

    def __next__(self) -> EmbedResponse: ...


class VectorStream:
    """The open call of a request for vectors, read as the generation that `EmbedOrder` makes of it."""

    def __init__(self, call: EmbedCall, order: EmbedOrder) -> None:
        self._call = call
        self._order = order

    def __next__(self) -> GenerateResponse:
        return self._order.heard(next(self._call))

    def cancel(self) -> bool:
        """Ends it."""
        return self._call.cancel()


@dataclass(frozen=True, slots=True)
class Router:
    """The channel to one router."""

    channel: grpc.Channel
    stub: RouterServiceStub


@dataclass(frozen=True, slots=True)
class _Replica:
    """The channel to one address."""

    channel: grpc.Channel
    stub: GeneratorServiceStub


class Connections:
    """What a client calls through; may be shared by threads."""

    def __init__(
        self, router: str | Sequence[str], tls: grpc.ChannelCredentials | None, *, max_channels: int
    ) -> None:
        self.routers = Routers(router, self._router)
        for address in self.routers.addresses:
            check_address(address, tls)
        self._tls = tls
        self._replicas = Pool(self._replica, lambda replica: replica.channel.close(), most=max_channels)
        self._releases: set[_Release] = set()
        self._lock = threading.Lock()
        self.alarms = Alarms()
        self.is_closed = False

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
            whole = stub.GenerateWhole.future(request, order.left_seconds, order.metadata)
            whole.add_done_callback(lambda _call: self._replicas.give_back(slot))
            return WholeAnswer(whole, partial(self.generate, offer, order, is_one_message=False))
        stream = stub.Generate(request, timeout=order.left_seconds, metadata=order.metadata)
        if not stream.add_callback(lambda: self._replicas.give_back(slot)):
            self._replicas.give_back(slot)
        return stream

    def count(self, offer: TicketOffer, order: CountOrder) -> CountTokensResponse:
        """Returns what the replica of an offer counted; raises ComptoirError or grpc.RpcError."""
        with self._replica_of(offer) as replica:
            return replica.stub.CountTokens(
                order.count_request(offer), timeout=order.left_seconds, metadata=order.metadata
            )

    def describe(self, offer: TicketOffer, order: CountOrder) -> GetModelInfoResponse:
        """Returns what the replica of an offer serves; raises as `count`."""
        with self._replica_of(offer) as replica:
            return replica.stub.GetModelInfo(
                GetModelInfoRequest(), timeout=order.left_seconds, metadata=order.metadata
            )

    def ask(
        self, question: Callable[[RouterServiceStub, float], Said], left_seconds: Callable[[], float]
    ) -> Said:
        """Asks one router after the other until one answers; raises what the last one failed with.

        The question is given its router and its time, of which the last router has all that is left.
        """
        left, further = len(self.routers.addresses), 0
        while True:
            router, left = self.routers.present(further), left - 1
            seconds = min(ANSWER_SECONDS, left_seconds()) if left else left_seconds()
            try:
                return question(router.stub, seconds)
            except grpc.RpcError as failure:
                if not is_unanswered(cast_failure(failure).code()):
                    raise
                # One that has no replica lives, and is asked first the next time too.
                if is_said(cast_failure(failure)) or not self.routers.lose(router):
                    further += 1
                if not left:
                    raise

    def release(self, admitted: AdmitResponse, order: Admissible, lender: Router) -> None:
        """Gives a lease back to the router that lent it, and waits for nothing."""
        if self.is_closed:
            return
        release = lender.stub.Release.future(
            release_request(admitted), timeout=RELEASE_SECONDS, metadata=order.metadata
        )
        with self._lock:
            self._releases.add(release)
        release.add_done_callback(self._forget)

    def close(self) -> None:
        """Waits until what was given back has arrived, within a bounded time, and closes the channels."""
        self.is_closed = True
        self.alarms.close()
        with self._lock:
            releases = list(self._releases)
        for release in releases:
            with contextlib.suppress(grpc.FutureTimeoutError, grpc.FutureCancelledError):
                release.exception(RELEASE_SECONDS)
        for replica in self._replicas.clear():
            replica.channel.close()
        for router in self.routers.made():
            router.channel.close()

    def _embed(self, offer: TicketOffer, order: EmbedOrder) -> Stream:
        slot = self._borrow(offer)
        call = slot.kept.stub.Embed(
            order.embed_request(offer), timeout=order.left_seconds, metadata=order.metadata
        )
        if not call.add_callback(lambda: self._replicas.give_back(slot)):
            self._replicas.give_back(slot)
        return VectorStream(call, order)

    @contextlib.contextmanager
    def _replica_of(self, offer: TicketOffer) -> Iterator[_Replica]:
        slot = self._borrow(offer)
        try:
            yield slot.kept
        finally:
            self._replicas.give_back(slot)

    def _borrow(self, offer: TicketOffer) -> Slot[_Replica]:
        try:
            return self._replicas.borrow(offer.generator_address)
        except ValueError:
            # An address that this client may not call, such as plaintext to another machine.
            raise unreachable() from None

    def _forget(self, release: _Release) -> None:
        with self._lock:
            self._releases.discard(release)

    def _router(self, address: str) -> Router:
        channel = self._connect(address)
        return Router(channel, RouterServiceStub(channel))

    def _replica(self, address: str) -> _Replica:
        channel = self._connect(address)
        return _Replica(channel, GeneratorServiceStub(channel))

    def _connect(self, address: str) -> grpc.Channel:
        check_address(address, self._tls)
        if self._tls is None:
            return grpc.insecure_channel(address, PLAINTEXT_OPTIONS)
        return grpc.secure_channel(address, self._tls, OPTIONS)


def cast_failure(failure: grpc.RpcError) -> Failure:
    """Returns the error of a call: each is the call too, which gRPC's types do not say."""
    return cast("Failure", failure)
