"""POST /v1/chat/completions: a chat, streamed or whole."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Final

from services.edge.domain.limits import EdgeLimits
from services.edge.domain.openai.answer_types import ChatCompletion, ChatCompletionChunk
from services.edge.domain.openai.chat.answers import ChatHead, ChunkWriter, WholeChat
from services.edge.domain.openai.chat.body import ChatBody
from services.edge.domain.openai.chat.request import chat_steps, named_as_sent
from services.edge.domain.openai.operation import GENERATION_STATUSES, Operation
from services.edge.domain.openai.paths import CHAT_PATH
from services.edge.domain.openai.priority import tier_of
from services.edge.server.answers import send_stream, send_whole
from services.edge.server.bodies import Bodies
from services.edge.server.delivery import Deliveries, Delivery
from services.edge.server.http.exchange import Exchange
from services.edge.server.http.requests import read_key, read_priority
from services.edge.server.http.watches import DisconnectWatch
from services.edge.server.large_answers import LargeAnswers
from services.edge.server.resource import Resource
from services.kernel.errors import ComptoirError

_OPERATION: Final = Operation(
    "createChatCompletion",
    "a chat, whole or streamed",
    body=ChatBody,
    answer=ChatCompletion,
    event=ChatCompletionChunk,
    statuses=GENERATION_STATUSES,
)


class ChatCompletions:
    """The endpoint; holds no state of a request."""

    def __init__(
        self, bodies: Bodies, deliveries: Deliveries, large_answers: LargeAnswers, limits: EdgeLimits
    ) -> None:
        self._bodies = bodies
        self._deliveries = deliveries
        self._large_answers = large_answers
        self._limits = limits
        self.resources = (Resource("POST", CHAT_PATH, self.serve, _OPERATION),)

    async def serve(self, exchange: Exchange) -> None:
        """Answers one request; raises ComptoirError, HttpRefusalError or ClientDisconnectedError."""
        key = read_key(exchange)
        opened, as_sent, answer = await self._read(exchange, key)
        try:
            async with opened as delivery:
                with DisconnectWatch(exchange), self._large_answers.growing(key) as place:
                    if isinstance(answer, ChunkWriter):
                        await send_stream(
                            exchange, delivery, answer, place, ping_seconds=self._limits.ping_seconds
                        )
                    else:
                        await send_whole(exchange, delivery, answer, place)
        except ComptoirError as error:
            error.field = as_sent(error.field)
            raise

    async def _read(
        self, exchange: Exchange, key: str
    ) -> tuple[Delivery, Callable[[str], str], ChunkWriter | WholeChat]:
        """Returns the delivery of what is asked for, how it names things, and what writes its answer.

        Apart from `serve`, whose frame would hold the body for as long as the answer runs.
        """
        chat = await self._bodies.read(exchange, chat_steps, ChatBody)
        request, event = chat.generation, exchange.event
        event.is_streamed = request.is_streamed
        request = replace(request, priority=read_priority(exchange, chat.service_tier))
        delivery = self._deliveries.open(key=key, request=request, event=event)
        head = ChatHead(
            event.request_id.hex,
            event.started_at_microseconds // 1_000_000,
            tier=None if chat.service_tier is None else lambda: tier_of(delivery.priority),
            includes_reasoning=chat.includes_reasoning,
            has_functions=chat.has_functions,
        )
        as_sent = partial(named_as_sent, chat.names_as_sent, has_functions=chat.has_functions)
        if request.is_streamed:
            writer = ChunkWriter(head, choices=request.choices, includes_usage=chat.includes_usage)
            return delivery, as_sent, writer
        return delivery, as_sent, WholeChat(head)
