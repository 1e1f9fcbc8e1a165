"""POST /v1/embeddings: the vectors of one text or of many, in one admission and one call."""

from typing import Final

from services.edge.domain.openai.answer_types import EmbeddingList
from services.edge.domain.openai.embeddings.body import EmbeddingBody
from services.edge.domain.openai.embeddings.request import EmbeddingWriter, embedding_steps
from services.edge.domain.openai.operation import GENERATION_STATUSES, Operation
from services.edge.domain.openai.paths import EMBEDDINGS_PATH
from services.edge.server.answers import answer_headers
from services.edge.server.bodies import Bodies
from services.edge.server.delivery import Deliveries, Delivery
from services.edge.server.http.exchange import Exchange
from services.edge.server.http.requests import read_key
from services.edge.server.http.watches import DisconnectWatch
from services.edge.server.large_answers import LargeAnswers, send_parts
from services.edge.server.resource import Resource

_OPERATION: Final = Operation(
    "createEmbedding",
    "the vectors of one text or of many",
    body=EmbeddingBody,
    answer=EmbeddingList,
    statuses=GENERATION_STATUSES,
)


class Embeddings:
    """The endpoint; holds no state of a request."""

    def __init__(self, bodies: Bodies, deliveries: Deliveries, large_answers: LargeAnswers) -> None:
        self._bodies = bodies
        self._deliveries = deliveries
        self._large_answers = large_answers
        self.resources = (Resource("POST", EMBEDDINGS_PATH, self.serve, _OPERATION),)

    async def serve(self, exchange: Exchange) -> None:
        """Answers one request; raises ComptoirError, HttpRefusalError or ClientDisconnectedError."""
        key = read_key(exchange)
        opened, writer, answer_bytes = await self._read(exchange, key)
        async with opened as delivery:
            with DisconnectWatch(exchange):
                async with self._large_answers.place(key, answer_bytes):
                    await self._answer(exchange, delivery, writer)

    async def _answer(self, exchange: Exchange, delivery: Delivery, writer: EmbeddingWriter) -> None:
        await delivery.start()
        while (delta := await delivery.next_delta()) is not None:
            if delta.vectors is not None:
                writer.add(delta.vectors)
        exchange.event.first_text_seconds = exchange.clock.monotonic_seconds()
        parts = writer.body(delivery.counts, delivery.model_name)
        await send_parts(exchange, parts, answer_headers(delivery))

    async def _read(self, exchange: Exchange, key: str) -> tuple[Delivery, EmbeddingWriter, int]:
        """Returns the delivery of what is asked for, what writes its answer, and about how large that is.

        Apart from `serve`, whose frame would hold the body for as long as the answer takes.
        """
        asked = await self._bodies.read(exchange, embedding_steps, EmbeddingBody)
        delivery = self._deliveries.open(key=key, request=asked.generation, event=exchange.event)
        return delivery, EmbeddingWriter(is_base64=asked.is_base64), asked.answer_bytes
