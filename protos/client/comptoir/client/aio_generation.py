"""One answer of the asyncio client, from its admission to its end."""

import asyncio
import contextlib
from collections.abc import Iterator
from types import TracebackType
from typing import Self

import grpc
from comptoir.client import errors
from comptoir.client.aio_connections import Connections, Router, Stream, cast_failure
from comptoir.client.aio_hedge import Hedge, ReplicaLeftError
from comptoir.client.channels import NEXT_OFFER_SECONDS
from comptoir.client.chat import Order, next_offer_request
from comptoir.client.embedding import EmbedOrder
from comptoir.client.errors import ComptoirError
from comptoir.client.hedging import Hedging
from comptoir.client.losses import Losses
from comptoir.client.progress import Progress
from comptoir.client.state import GenerationState, is_silent
from comptoir.generator.v1.generator_pb2 import Delta, GenerateResponse
from comptoir.router.v1.router_pb2 import AdmitResponse, TicketOffer


class Generation(GenerationState):
    """One answer while it is generated: an asynchronous iterator of deltas, and a context that ends it.

    Entering it admits the request, and waits until a replica accepted it; so does the first delta where it
    is only iterated. Leaving the context before the answer is whole, also because the task is cancelled,
    stops the engine, in the queue and in prefill too. Everything raises ComptoirError.
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
        self._closing = asyncio.Event()
        self._call: grpc.aio.Call | Stream | None = None
        self._stream: Stream | None = None
        self._hedge = Hedge(hedging)

    def __del__(self) -> None:
        # Dropped half read. Its lease, if no replica holds it, ends with its tickets.
        if self._call is not None and not self._is_whole:
            with contextlib.suppress(RuntimeError):  # the loop is closed, and with it the call
                self._call.cancel()

    async def __aenter__(self) -> Self:
        with self._closed_on_failure():
            progress = await self._admitted()
            while not progress.is_accepted:
                await self._step(progress)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Delta:
        if self._is_whole:
            raise StopAsyncIteration
        with self._closed_on_failure():
            progress = await self._admitted()
            while progress.finished is None:
                delta = await self._step(progress)
                if delta is not None:
                    return delta
        raise StopAsyncIteration

    def close(self) -> None:
        """Ends the request unless its answer is whole; may be called at any time, and waits for nothing."""
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
        except BaseException as failure:
            was_cancelled_here = self._is_cancelled_here
            # Also where the task is cancelled: no call may outlive the request it is for.
            self.close()
            if (
                isinstance(failure, asyncio.CancelledError)
                and was_cancelled_here
                and not _is_task_cancelled()
            ):
                # gRPC tells a call that was cancelled here as if the task that waits for it had been.
                raise errors.cancelled() from None
            raise

    async def _admitted(self) -> Progress:
        if self._progress is None:
            self._order.begin()
            self._progress = Progress(await self._admit())
            self._keep(self._progress)
        return self._progress

    def _keep(self, progress: Progress) -> None:
        if self._is_closed:
            # It was admitted all the same, and `close` did not see the lease.
            self._release(progress)
            raise errors.cancelled()
        self._left_when_admitted_seconds = self._order.left_seconds

    async def _admit(self) -> AdmitResponse:
        while True:
            self._check_open()
            left_seconds = self._order.left_seconds
            timeout = min(self._admit_seconds, left_seconds)
            request = self._order.admit_request(self._api_key)
            self._lender = self._connections.routers.present()
            call = self._lender.stub.Admit(request, timeout=timeout, metadata=self._order.metadata)
            self._call = call
            try:
                return await call
            except grpc.aio.AioRpcError as failure:
                said, here = cast_failure(failure), self._is_cancelled_here
                error = errors.admission_error_from(
                    said, is_late=left_seconds <= timeout, is_cancelled_here=here
                )
                if left_seconds > timeout and is_silent(said):
                    # It may hold the request, or hang: the next request is for another one.
                    self._connections.routers.lose(self._lender)
                pause_seconds = self._router_pause_seconds(error, said)
            self._connections.routers.lose(self._lender)
            await self._rest(pause_seconds)

    async def _rest(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._closing.wait()

    async def _step(self, progress: Progress) -> Delta | None:
        # Reads one message of the replica; what fails before any text goes on with another ticket.
        try:
            return progress.take(await self._heard(progress))
        except ReplicaLeftError as left:
            self._drop_stream()
            progress.leave(left.offer)
            return None
        except ComptoirError as error:
            self._drop_stream()
            progress.failed(error)
            await self._go_on(progress, error)
            return None

    async def _heard(self, progress: Progress) -> GenerateResponse:
        reading = self._read(self._stream or self._open(progress))
        if not progress.may_hedge:
            return await reading
        response = await self._hedge.wait(reading, self._hedge_offer, is_accepted=progress.is_accepted)
        # It lives: what was asked because it did not accept, or said nothing, is not asked any more.
        self._hedge.stop()
        return response

    def _drop_stream(self) -> None:
        if self._stream is not None:
            self._stream.cancel()
            self._stream = None

    async def _go_on(self, progress: Progress, lost: ComptoirError) -> None:
        offer = await self._hedge.hurried() or await self._next_offer(progress)
        if offer is not None:
            progress.offer = offer
            return
        self._check_open()
        # The first replica hangs, and another one was full: that is no answer.
        lost = errors.unreachable() if progress.has_left_one else lost
        pause_seconds = self._pause_seconds(progress, lost)
        self._release(progress)
        await self._rest(pause_seconds)
        progress.admit_again(await self._admit())
        self._keep(progress)

    async def _next_offer(self, progress: Progress) -> TicketOffer | None:
        self._check_open()
        request = next_offer_request(self._api_key, progress.admitted, self._order)
        timeout = min(NEXT_OFFER_SECONDS, self._order.left_seconds)
        call = self._lender.stub.NextOffer(request, timeout=timeout, metadata=self._order.metadata)
        self._call = call
        try:
            return (await call).offer
        except grpc.aio.AioRpcError:
            # Whatever the router says: the request was admitted, so its caller is told of the replica.
            return None

    async def _hedge_offer(self) -> TicketOffer:
        request = next_offer_request(self._api_key, self.admitted, self._order, is_hedge=True)
        timeout = min(NEXT_OFFER_SECONDS, self._order.left_seconds)
        call = self._lender.stub.NextOffer(request, timeout=timeout, metadata=self._order.metadata)
        try:
            return (await call).offer
        except grpc.aio.AioRpcError as failure:
            raise errors.error_from(cast_failure(failure)) from None

    def _open(self, progress: Progress) -> Stream:
        self._check_open()
        self._hedge.begin()
        self._call = self._stream = self._connections.open(
            progress.use_offer(), self._request, progress.admitted.max_output_tokens
        )
        return self._stream

    async def _read(self, stream: Stream) -> GenerateResponse:
        try:
            response = await stream.read()
        except grpc.aio.AioRpcError as failure:
            raise self._error_from(cast_failure(failure)) from failure
        if not isinstance(response, GenerateResponse):
            # The stream ended well and without its last message: the answer is not whole.
            raise errors.unreachable()
        return response


def _is_task_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
