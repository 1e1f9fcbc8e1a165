"""One answer of the blocking client, from its admission to its end."""

import contextlib
import threading
from collections.abc import Iterator
from types import TracebackType
from typing import Self

import grpc
from comptoir.client import errors
from comptoir.client.channels import NEXT_OFFER_SECONDS
from comptoir.client.chat import Order, next_offer_request
from comptoir.client.connections import Cancellable, Connections, Router, Stream, cast_failure
from comptoir.client.embedding import EmbedOrder
from comptoir.client.errors import ComptoirError
from comptoir.client.hedge import Hedge
from comptoir.client.hedging import Hedging
from comptoir.client.losses import Losses
from comptoir.client.progress import Progress
from comptoir.client.state import GenerationState, is_silent
from comptoir.generator.v1.generator_pb2 import Delta, GenerateResponse
from comptoir.router.v1.router_pb2 import AdmitResponse, NextOfferResponse, TicketOffer


class Generation(GenerationState):
    """One answer while it is generated: an iterator of deltas, and a context that ends it.

    Entering it admits the request, and waits until a replica accepted it; so does the first delta where it
    is only iterated. Leaving the context before the answer is whole stops the engine, in the queue and in
    prefill too. Everything raises ComptoirError.
    """

    # The router that was asked last to admit, and so lent what is under way.
    _lender: Router

    def __init__(
        self,
        connections: Connections,
        order: Order | EmbedOrder,
        losses: Losses,
        api_key: str,
        admit_seconds: float,
        hedging: Hedging,
    ) -> None:
        super().__init__(order, connections, losses)
        self._request = order
        self._connections = connections
        self._api_key = api_key
        self._admit_seconds = admit_seconds
        self._closing = threading.Event()
        self._call: Cancellable | None = None
        self._stream: Stream | None = None
        self._hedge = Hedge(hedging, connections.alarms)

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
        self._hedge.stop()
        if self._call is not None:
            self._call.cancel()
        if self._progress is not None and self._progress.is_lease_unused:
            self._release(self._progress)

    def _release(self, progress: Progress) -> None:
        self._connections.release(progress.admitted, self._order, self._lender)

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
            self._release(progress)
            raise errors.cancelled()
        self._left_when_admitted_seconds = self._order.left_seconds

    def _admit(self) -> AdmitResponse:
        while True:
            self._check_open()
            left_seconds = self._order.left_seconds
            timeout = min(self._admit_seconds, left_seconds)
            request = self._order.admit_request(self._api_key)
            self._lender = self._connections.routers.present()
            call = self._lender.stub.Admit.future(request, timeout, self._order.metadata)
            self._follow(call)
            try:
                return call.result()
            except grpc.FutureCancelledError:
                raise errors.cancelled() from None
            except grpc.RpcError as failure:
                said, here = cast_failure(failure), self._is_cancelled_here
                error = errors.admission_error_from(
                    said, is_late=left_seconds <= timeout, is_cancelled_here=here
                )
                if left_seconds > timeout and is_silent(said):
                    # It may hold the request, or hang: the next request is for another one.
                    self._connections.routers.lose(self._lender)
                pause_seconds = self._router_pause_seconds(error, said)
            self._connections.routers.lose(self._lender)
            self._closing.wait(pause_seconds)

    def _step(self, progress: Progress) -> Delta | None:
        # Reads one message of the replica; what fails before any text goes on with another ticket.
        try:
            response = self._heard(progress)
            return None if response is None else progress.take(response)
        except ComptoirError as error:
            self._drop_stream()
            progress.failed(error)
            self._go_on(progress, error)
            return None

    def _heard(self, progress: Progress) -> GenerateResponse | None:
        """Returns what the replica says; None where it is left for another one before that."""
        stream = self._stream or self._open(progress)
        if not progress.may_hedge:
            return self._read(stream)
        self._hedge.watch(stream, self._hedge_offer, is_accepted=progress.is_accepted)
        try:
            response = self._read(stream)
        except ComptoirError:
            if self._is_left(progress):
                return None
            raise
        if self._is_left(progress):
            return None
        # It lives: what was asked because it did not accept, or said nothing, is not asked any more.
        self._hedge.stop()
        return response

    def _is_left(self, progress: Progress) -> bool:
        offer = self._hedge.left()
        if offer is None:
            return False
        self._check_open()
        self._drop_stream()
        progress.leave(offer)
        return True

    def _drop_stream(self) -> None:
        if self._stream is not None:
            self._stream.cancel()
            self._stream = None

    def _go_on(self, progress: Progress, lost: ComptoirError) -> None:
        offer = self._hedge.hurried(self._follow) or self._next_offer(progress)
        if offer is not None:
            progress.offer = offer
            return
        self._check_open()
        # The first replica hangs, and another one was full: that is no answer.
        lost = errors.unreachable() if progress.has_left_one else lost
        pause_seconds = self._pause_seconds(progress, lost)
        self._release(progress)
        self._closing.wait(pause_seconds)
        progress.admit_again(self._admit())
        self._keep(progress)

    def _next_offer(self, progress: Progress) -> TicketOffer | None:
        request = next_offer_request(self._api_key, progress.admitted, self._order)
        timeout = min(NEXT_OFFER_SECONDS, self._order.left_seconds)
        call = self._lender.stub.NextOffer.future(request, timeout, self._order.metadata)
        self._follow(call)
        try:
            return call.result().offer
        except (grpc.RpcError, grpc.FutureCancelledError):
            # Whatever the router says: the request was admitted, so its caller is told of the replica.
            return None

    def _hedge_offer(self) -> "grpc.Future[NextOfferResponse]":
        request = next_offer_request(self._api_key, self.admitted, self._order, is_hedge=True)
        timeout = min(NEXT_OFFER_SECONDS, self._order.left_seconds)
        return self._lender.stub.NextOffer.future(request, timeout, self._order.metadata)

    def _open(self, progress: Progress) -> Stream:
        self._check_open()
        self._hedge.begin()
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
            raise self._error_from(cast_failure(failure)) from failure
