"""The client for services that block: it admits, reads and gives back in the threads of its callers."""

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import Self, TypeVar, Unpack, cast

import grpc
from comptoir.client import errors
from comptoir.client.answers import Answer, choices_of
from comptoir.client.channels import NEXT_OFFER_SECONDS
from comptoir.client.chat import Chat, Order, next_offer_request
from comptoir.client.connections import Cancellable, Connections, Stream
from comptoir.client.counting import Countable, CountOrder
from comptoir.client.embedding import Embeddings, EmbedOrder, Inputs
from comptoir.client.errors import ComptoirError, Failure
from comptoir.client.losses import Losses
from comptoir.client.progress import Progress
from comptoir.client.state import GenerationState
from comptoir.generator.v1.generator_pb2 import Delta, GenerateResponse, GetModelInfoResponse
from comptoir.router.v1.router_pb2 import AdmitResponse, ListModelsRequest, Model, TicketOffer

Said = TypeVar("Said")


class Client:
    """Calls a router, and the replicas that it names; may be shared by threads.

    `router` is its address, `host:port` or `unix:/path`; `tls` what `mutual_tls` returns, and may be left
    out on one machine only. `admit_seconds` bounds an admission, which a router may hold for its
    `hold_seconds` until a replica is ready. One channel is kept for each replica, `max_channels` in all.

    A request whose replica fails before any text moves on to another ticket where the failure permits it.
    Where there is none and the replica is lost, it is admitted anew: three replicas that had accepted it may
    be lost, and while none can be reached it asks for `unreachable_seconds`. Nothing else is tried again.
    """

    def __init__(
        self,
        router: str,
        *,
        api_key: str,
        tls: grpc.ChannelCredentials | None = None,
        admit_seconds: float = 40.0,
        max_channels: int = 32,
        unreachable_seconds: float = 10.0,
    ) -> None:
        self._connections = Connections(router, tls, max_channels=max_channels)
        self._api_key = api_key
        self._admit_seconds = admit_seconds
        self._unreachable_seconds = unreachable_seconds

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def generate(self, **chat: Unpack[Chat]) -> "Generation":
        """Returns the answer as an iterator of deltas; nothing is asked before it is entered or iterated."""
        return self._generation(Order(chat, is_streamed=True))

    def answer(self, **chat: Unpack[Chat]) -> Answer:
        """Returns the whole answer; raises ComptoirError."""
        with self._generation(Order(chat, is_streamed=False)) as generation:
            deltas = list(generation)
        return Answer(generation.request_id, choices_of(deltas), generation.finished)

    def embed(self, **inputs: Unpack[Inputs]) -> Embeddings:
        """Returns a vector of each input, and their counts; raises ComptoirError."""
        order = EmbedOrder(inputs)
        with self._generation(order) as generation:
            for _ in generation:
                pass
        return order.answer()

    def count_tokens(self, **prompt: Unpack[Countable]) -> int:
        """Returns how many tokens a prompt has, of which none is charged; raises ComptoirError.

        It takes a request of the key's minute. A chat is counted up to where its answer would begin.
        """
        return self._asked(CountOrder(prompt), self._connections.count).input_tokens

    def describe_model(self, model: str) -> GetModelInfoResponse:
        """Returns what a replica of a model serves, as `count_tokens` finds one; raises ComptoirError."""
        return self._asked(CountOrder({"model": model, "text": ""}), self._connections.describe)

    def list_models(self) -> Sequence[Model]:
        """Returns the models that the key may use, under each of their names; raises ComptoirError."""
        request = ListModelsRequest(api_key=self._api_key)
        try:
            return self._connections.router.ListModels(request, timeout=self._admit_seconds).models
        except grpc.RpcError as failure:
            raise errors.error_from(_said(failure)) from failure

    def close(self) -> None:
        """Ends what is open, gives back what was not used, and closes the channels."""
        self._connections.close()

    def _asked(self, order: CountOrder, ask: Callable[[TicketOffer, CountOrder], Said]) -> Said:
        try:
            admitted = self._connections.router.AdmitCount(
                order.admit_request(self._api_key),
                timeout=min(self._admit_seconds, order.left_seconds),
                metadata=order.metadata,
            )
            return ask(admitted.offer, order)
        except grpc.RpcError as failure:
            raise errors.error_from(_said(failure)) from failure

    def _generation(self, order: Order | EmbedOrder) -> "Generation":
        losses = Losses(unreachable_seconds=self._unreachable_seconds)
        return Generation(self._connections, order, losses, self._api_key, self._admit_seconds)


class Generation(GenerationState):
    """One answer while it is generated: an iterator of deltas, and a context that ends it.

    Entering it admits the request, and waits until a replica accepted it; so does the first delta where it
    is only iterated. Leaving the context before the answer is whole stops the engine, in the queue and in
    prefill too. Everything raises ComptoirError.
    """

    def __init__(
        self,
        connections: Connections,
        order: Order | EmbedOrder,
        losses: Losses,
        api_key: str,
        admit_seconds: float,
    ) -> None:
        super().__init__(order, connections, losses)
        self._request = order
        self._connections = connections
        self._api_key = api_key
        self._admit_seconds = admit_seconds
        self._closing = threading.Event()
        self._call: Cancellable | None = None
        self._stream: Stream | None = None

    def __enter__(self) -> Self:
        with self._closed_on_failure():
            progress = self._admitted()
            while not progress.is_accepted:
                self._step(progress)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Delta:
        if self._is_whole:
            raise StopIteration
        with self._closed_on_failure():
            progress = self._admitted()
            while progress.finished is None:
                delta = self._step(progress)
                if delta is not None:
                    return delta
        raise StopIteration

    def close(self) -> None:
        """Ends the request unless its answer is whole; may be called at any time and from any thread."""
        if self._is_closed or self._is_whole:
            return
        self._is_closed = True
        self._closing.set()
        if self._call is not None:
            self._call.cancel()
        if self._progress is not None and self._progress.is_lease_unused:
            self._connections.release(self._progress.admitted, self._order)

    @contextlib.contextmanager
    def _closed_on_failure(self) -> Iterator[None]:
        try:
            yield
        except BaseException:
            # Also where the thread is interrupted: no call may outlive the request it is for.
            self.close()
            raise

    def _admitted(self) -> Progress:
        if self._progress is None:
            self._order.begin()
            self._progress = Progress(self._admit())
            self._keep(self._progress)
        return self._progress

    def _keep(self, progress: Progress) -> None:
        if self._is_closed:
            # It was admitted all the same, and `close` did not see the lease.
            self._connections.release(progress.admitted, self._order)
            raise errors.cancelled()
        self._left_when_admitted_seconds = self._order.left_seconds

    def _admit(self) -> AdmitResponse:
        self._check_open()
        left_seconds = self._order.left_seconds
        timeout = min(self._admit_seconds, left_seconds)
        request = self._order.admit_request(self._api_key)
        call = self._connections.router.Admit.future(request, timeout, self._order.metadata)
        self._follow(call)
        try:
            return call.result()
        except grpc.FutureCancelledError:
            raise errors.cancelled() from None
        except grpc.RpcError as failure:
            raise errors.admission_error_from(
                _said(failure), is_late=left_seconds <= timeout, is_cancelled_here=self._is_cancelled_here
            ) from failure

    def _step(self, progress: Progress) -> Delta | None:
        # Reads one message of the replica; what fails before any text goes on with another ticket.
        try:
            return progress.take(self._read(self._stream or self._open(progress)))
        except ComptoirError as error:
            if self._stream is not None:
                self._stream.cancel()
                self._stream = None
            progress.failed(error)
            self._go_on(progress, error)
            return None

    def _go_on(self, progress: Progress, lost: ComptoirError) -> None:
        offer = self._next_offer(progress)
        if offer is not None:
            progress.offer = offer
            return
        self._check_open()
        pause_seconds = self._pause_seconds(progress, lost)
        self._connections.release(progress.admitted, self._order)
        self._closing.wait(pause_seconds)
        progress.admit_again(self._admit())
        self._keep(progress)

    def _next_offer(self, progress: Progress) -> TicketOffer | None:
        request = next_offer_request(self._api_key, progress.admitted)
        timeout = min(NEXT_OFFER_SECONDS, self._order.left_seconds)
        call = self._connections.router.NextOffer.future(request, timeout, self._order.metadata)
        self._follow(call)
        try:
            return call.result().offer
        except (grpc.RpcError, grpc.FutureCancelledError):
            # Whatever the router says: the request was admitted, so its caller is told of the replica.
            return None

    def _open(self, progress: Progress) -> Stream:
        self._check_open()
        self._stream = self._connections.open(
            progress.use_offer(), self._request, progress.admitted.max_output_tokens
        )
        self._follow(self._stream)
        return self._stream

    def _follow(self, call: Cancellable) -> None:
        self._call = call
        if self._is_closed:
            # Another thread closed it meanwhile, and did not see this call.
            call.cancel()

    def _read(self, stream: Stream) -> GenerateResponse:
        try:
            return next(stream)
        except StopIteration:
            # The stream ended well and without its last message: the answer is not whole.
            raise errors.unreachable() from None
        except grpc.RpcError as failure:
            raise self._error_from(_said(failure)) from failure


def _said(failure: grpc.RpcError) -> Failure:
    # Every error that a call raises is a call too; gRPC's types do not say so.
    return cast("Failure", failure)
