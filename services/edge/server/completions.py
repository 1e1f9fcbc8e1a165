"""POST /v1/completions: the continuation of one prompt or several, streamed or whole."""

from dataclasses import replace
from typing import Final

from services.edge.domain.limits import EdgeLimits
from services.edge.domain.openai.answer_types import TextCompletion
from services.edge.domain.openai.completions.answers import (
    CompletionChunkWriter,
    CompletionHead,
    WholeCompletion,
)
from services.edge.domain.openai.completions.body import CompletionBody
from services.edge.domain.openai.completions.request import completion_steps
from services.edge.domain.openai.operation import GENERATION_STATUSES, Operation
from services.edge.domain.openai.paths import COMPLETIONS_PATH
from services.edge.server.answers import send_stream, send_whole
from services.edge.server.bodies import Bodies
from services.edge.server.delivery import Deliveries, Delivery
from services.edge.server.http.exchange import Exchange
from services.edge.server.http.requests import read_key, read_priority
from services.edge.server.http.watches import DisconnectWatch
from services.edge.server.joined_delivery import JoinedDelivery
from services.edge.server.large_answers import LargeAnswers
from services.edge.server.resource import Resource

_OPERATION: Final = Operation(
    "createCompletion",
    "the continuation of a prompt or of several, whole or streamed",
    body=CompletionBody,
    answer=TextCompletion,
    event=TextCompletion,
    statuses=GENERATION_STATUSES,
)


class Completions:
    """The endpoint; holds no state of a request."""

    def __init__(
        self, bodies: Bodies, deliveries: Deliveries, large_answers: LargeAnswers, limits: EdgeLimits
    ) -> None:
        self._bodies = bodies
        self._deliveries = deliveries
        self._large_answers = large_answers
        self._limits = limits
        self.resources = (Resource("POST", COMPLETIONS_PATH, self.serve, _OPERATION),)

    async def serve(self, exchange: Exchange) -> None:
        """Answers one request; raises ComptoirError, HttpRefusalError or ClientDisconnectedError."""
        key = read_key(exchange)
        opened, answer = await self._read(exchange, key)
        async with opened as delivery:
            with DisconnectWatch(exchange), self._large_answers.growing(key) as place:
                if isinstance(answer, CompletionChunkWriter):
                    await send_stream(
                        exchange, delivery, answer, place, ping_seconds=self._limits.ping_seconds
                    )
                else:
                    await send_whole(exchange, delivery, answer, place)

    async def _read(
        self, exchange: Exchange, key: str
    ) -> tuple[Delivery | JoinedDelivery, CompletionChunkWriter | WholeCompletion]:
        """Returns the delivery of what is asked for, and what writes its answer.

        Apart from `serve`, whose frame would hold the body for as long as the answer runs.
        """
        completion = await self._bodies.read(exchange, completion_steps, CompletionBody)
        first, event = completion.generations[0], exchange.event
        priority = read_priority(exchange, completion.service_tier)
        event.is_streamed = first.is_streamed
        head = CompletionHead(event.request_id.hex, event.started_at_microseconds // 1_000_000)
        opened: Delivery | JoinedDelivery
        opened, *others = (
            self._deliveries.open(key=key, request=replace(request, priority=priority), event=event)
            for request in completion.generations
        )
        if others:
            opened = JoinedDelivery([opened, *others], completion.generations)
        if first.is_streamed:
            return opened, CompletionChunkWriter(head, includes_usage=completion.includes_usage)
        return opened, WholeCompletion(head)
