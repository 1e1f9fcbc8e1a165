"""POST /v1/responses: an answer to the items of an input, streamed or whole."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Final

from services.edge.domain.limits import EdgeLimits
from services.edge.domain.openai.operation import GENERATION_STATUSES, Operation
from services.edge.domain.openai.paths import RESPONSES_PATH
from services.edge.domain.openai.priority import tier_of
from services.edge.domain.openai.responses.answers import ResponseEventWriter, ResponseHead, WholeResponse
from services.edge.domain.openai.responses.body import ResponsesBody
from services.edge.domain.openai.responses.output import OutputOptions
from services.edge.domain.openai.responses.ports import ItemSeal
from services.edge.domain.openai.responses.references import sends_references
from services.edge.domain.openai.responses.request import response_steps
from services.edge.domain.openai.responses.tools import named_in_request
from services.edge.domain.openai.responses.types import Response, ResponseEvent
from services.edge.server.answers import send_stream, send_whole
from services.edge.server.bodies import Bodies
from services.edge.server.delivery import Deliveries, Delivery
from services.edge.server.http.exchange import Exchange
from services.edge.server.http.requests import read_key, read_priority
from services.edge.server.http.watches import DisconnectWatch
from services.edge.server.large_answers import LargeAnswers
from services.edge.server.resource import Resource
from services.kernel.errors import ComptoirError

_CREATE: Final = Operation(
    "createResponse",
    "an answer to the items of an input, whole or streamed",
    body=ResponsesBody,
    answer=Response,
    event=ResponseEvent,
    has_done=False,
    statuses=GENERATION_STATUSES,
)


class Responses:
    """The endpoint; holds no state of a request, and nothing of an answer that was given."""

    def __init__(
        self,
        bodies: Bodies,
        deliveries: Deliveries,
        large_answers: LargeAnswers,
        limits: EdgeLimits,
        seal_of: Callable[[str], ItemSeal],
    ) -> None:
        self._bodies = bodies
        self._deliveries = deliveries
        self._large_answers = large_answers
        self._limits = limits
        self._seal_of = seal_of
        self.resources = (Resource("POST", RESPONSES_PATH, self.serve, _CREATE),)

    async def serve(self, exchange: Exchange) -> None:
        """Answers one request; raises ComptoirError, HttpRefusalError or ClientDisconnectedError."""
        key = read_key(exchange)
        opened, names, tool_places, answer = await self._read(exchange, key)
        try:
            async with opened as delivery:
                with DisconnectWatch(exchange), self._large_answers.growing(key) as place:
                    if isinstance(answer, ResponseEventWriter):
                        await send_stream(
                            exchange, delivery, answer, place, ping_seconds=self._limits.ping_seconds
                        )
                    else:
                        await send_whole(exchange, delivery, answer, place)
        except ComptoirError as error:
            error.field = named_in_request(names.get(error.field, error.field), tool_places)
            raise

    async def _read(
        self, exchange: Exchange, key: str
    ) -> tuple[Delivery, Mapping[str, str], tuple[int, ...], ResponseEventWriter | WholeResponse]:
        """Returns the delivery of what is asked for, its own names, its functions' places, and its writer.

        Apart from `serve`, whose frame would hold the body for as long as the answer runs.
        """
        seal = self._seal_of(key)
        asked = await self._bodies.read(
            exchange,
            partial(response_steps, seal=seal),
            ResponsesBody,
            without_effect=lambda asked: asked.without_effect,
        )
        event = exchange.event
        request = replace(asked.generation, priority=read_priority(exchange, asked.service_tier))
        event.is_streamed = request.is_streamed
        delivery = self._deliveries.open(key=key, request=request, event=event)
        refers = not asked.keeps_items and sends_references(exchange.header_values(b"user-agent"))
        head = ResponseHead(
            event.request_id.hex,
            event.started_at_microseconds // 1_000_000,
            asked.echoed,
            tier=None if asked.service_tier is None else lambda: tier_of(delivery.priority),
            output=OutputOptions(
                includes_reasoning=asked.includes_reasoning,
                is_reasoning_summary=asked.is_reasoning_summary,
                seal=seal if refers else None,
            ),
        )
        answer = ResponseEventWriter(head) if request.is_streamed else WholeResponse(head)
        return delivery, asked.names_as_sent, asked.tool_places, answer
