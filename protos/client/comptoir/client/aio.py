"""The client for services on asyncio: as `comptoir.client`, in one event loop."""

from collections.abc import Awaitable, Callable, Sequence
from types import TracebackType
from typing import Self, TypeVar, Unpack

import grpc
from comptoir.client import errors
from comptoir.client.aio_connections import Connections, cast_failure
from comptoir.client.aio_generation import Generation
from comptoir.client.answers import Answer, choices_of
from comptoir.client.chat import Chat, Deadline, Order
from comptoir.client.counting import Countable, CountOrder
from comptoir.client.embedding import Embeddings, EmbedOrder, Inputs
from comptoir.client.hedging import Hedging
from comptoir.client.losses import Losses
from comptoir.client.prefixes import PrefixDigests
from comptoir.generator.v1.generator_pb2 import GetModelInfoResponse
from comptoir.router.v1.router_pb2 import ListModelsRequest, Model, TicketOffer

__all__ = ["Client", "Generation"]

Said = TypeVar("Said")


class Client:
    """Calls a router, and the replicas that it names, from one event loop.

    `router` is its address, `host:port` or `unix:/path`, or those of all routers of the region, the nearest
    first: one is asked until it is lost, then the next one. `tls` is what `mutual_tls` returns, and may be
    left out on one machine only. `admit_seconds` bounds an admission, which a router may hold for its
    `hold_seconds` until a replica is ready. One channel is kept for each replica, `max_channels` in all.

    A request whose replica fails before any text moves on to another ticket where the failure permits it.
    Where there is none and the replica is lost, it is admitted anew: three replicas that had accepted it may
    be lost, and while no router, or no replica, can be reached it asks for `unreachable_seconds`. Nothing
    else is tried again.

    Prompts that begin alike go to one replica, by digests under `prefix_secret`, 32 bytes. Those of
    clients and edges with the same one are the same; without it, this client makes one of its own.
    """

    def __init__(  # noqa: PLR0913 - one argument per choice that a service has
        self,
        router: str | Sequence[str],
        *,
        api_key: str,
        tls: grpc.ChannelCredentials | None = None,
        admit_seconds: float = 40.0,
        max_channels: int = 32,
        unreachable_seconds: float = 10.0,
        first_token_hedge_seconds: float = 30.0,
        prefix_secret: bytes | None = None,
    ) -> None:
        self._connections = Connections(router, tls, max_channels=max_channels)
        self._api_key = api_key
        self._prefixes = PrefixDigests(api_key, prefix_secret)
        self._admit_seconds = admit_seconds
        self._unreachable_seconds = unreachable_seconds
        self._hedging = Hedging(first_token_hedge_seconds)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def generate(self, **chat: Unpack[Chat]) -> Generation:
        """Returns the answer as an iterator of deltas; nothing is asked before it is entered or iterated."""
        return self._generation(Order(chat, is_streamed=True, prefixes=self._prefixes))

    async def answer(self, **chat: Unpack[Chat]) -> Answer:
        """Returns the whole answer; raises ComptoirError."""
        async with self._generation(Order(chat, is_streamed=False, prefixes=self._prefixes)) as generation:
            deltas = [delta async for delta in generation]
        return Answer(generation.request_id, choices_of(deltas), generation.finished)

    async def embed(self, **inputs: Unpack[Inputs]) -> Embeddings:
        """Returns a vector of each input, and their counts; raises ComptoirError."""
        order = EmbedOrder(inputs)
        async with self._generation(order) as generation:
            async for _ in generation:
                pass
        return order.answer()

    async def count_tokens(self, **prompt: Unpack[Countable]) -> int:
        """Returns how many tokens a prompt has, of which none is charged; raises ComptoirError.

        It takes a request of the key's minute. A chat is counted up to where its answer would begin.
        """
        return (await self._asked(CountOrder(prompt), self._connections.count)).input_tokens

    async def describe_model(self, model: str) -> GetModelInfoResponse:
        """Returns what a replica of a model serves, as `count_tokens` finds one; raises ComptoirError."""
        return await self._asked(CountOrder({"model": model, "text": ""}), self._connections.describe)

    async def list_models(self) -> Sequence[Model]:
        """Returns the models that the key may use, under each of their names; raises ComptoirError."""
        request, deadline = ListModelsRequest(api_key=self._api_key), Deadline(self._admit_seconds)
        try:
            listed = await self._connections.ask(
                lambda router, seconds: router.ListModels(request, timeout=seconds),
                lambda: deadline.left_seconds,
            )
        except grpc.aio.AioRpcError as failure:
            raise errors.error_from(cast_failure(failure)) from failure
        return listed.models

    async def close(self) -> None:
        """Ends what is open, gives back what was not used, and closes the channels."""
        await self._connections.close()

    async def _asked(
        self, order: CountOrder, ask: Callable[[TicketOffer, CountOrder], Awaitable[Said]]
    ) -> Said:
        try:
            admitted = await self._connections.ask(
                lambda router, seconds: router.AdmitCount(
                    order.admit_request(self._api_key), timeout=seconds, metadata=order.metadata
                ),
                lambda: min(self._admit_seconds, order.left_seconds),
            )
            return await ask(admitted.offer, order)
        except grpc.aio.AioRpcError as failure:
            raise errors.error_from(cast_failure(failure)) from failure

    def _generation(self, order: Order | EmbedOrder) -> Generation:
        losses = Losses(unreachable_seconds=self._unreachable_seconds)
        self._hedging.budget.earn()
        return Generation(self._connections, order, losses, self._api_key, self._admit_seconds, self._hedging)
