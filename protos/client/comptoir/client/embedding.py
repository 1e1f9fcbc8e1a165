"""Texts that a caller wants vectors of, as the messages that say it, and the vectors that come of them."""

import array
import sys
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Required, TypedDict

from comptoir.client.chat import Admissible, tokens_upper_bound
from comptoir.client.errors import out_of_protocol
from comptoir.generator.v1.generator_pb2 import (
    Delta,
    Embedded,
    EmbedInput,
    EmbedRequest,
    EmbedResponse,
    Finished,
    GenerateResponse,
    TokenIds,
    Vectors,
)
from comptoir.router.v1.router_pb2 import AdmitRequest, Priority, Task, TicketOffer

_BYTES_PER_NUMBER: Final = 4


class Inputs(TypedDict, total=False):
    """Texts, or token ids of the model in place of each, of which each is to have a vector.

    `dimensions`: how many numbers a vector has, for models that can cut it; left out, all.
    `priority`: the scheduling class; left out, the default one.
    `request_id`: the identity that stands in every event of the request; left out, a random one.
    `timeout_seconds`: bounds admission and vectors together; left out, 600 s.
    """

    model: Required[str]
    inputs: Required[Sequence[str | Sequence[int]]]
    dimensions: int
    priority: Priority.ValueType
    request_id: uuid.UUID
    timeout_seconds: float


@dataclass(frozen=True, slots=True)
class Embeddings:
    """The vector of each input, in their order; `embedded` has the counts, which are durable."""

    request_id: uuid.UUID
    vectors: "tuple[array.array[float], ...]"
    embedded: Embedded


class EmbedOrder(Admissible):
    """Inputs as one request, and what replicas said of them so far.

    It is read as a generation without text: Started, a delta for each message of vectors, Finished. So a
    ticket is used, moved on from and given back by the same rules.
    """

    def __init__(self, inputs: Inputs) -> None:
        self._embed = EmbedRequest(
            inputs=map(_input, inputs["inputs"]), dimensions=inputs.get("dimensions", 0)
        )
        admit = AdmitRequest(
            model=inputs["model"],
            task=Task.TASK_EMBED,
            inputs=len(self._embed.inputs),
            prompt_tokens_upper_bound=sum(map(tokens_upper_bound, self._embed.inputs)),
            priority=inputs.get("priority", Priority.PRIORITY_UNSPECIFIED),
        )
        super().__init__(admit, inputs.get("request_id"), inputs.get("timeout_seconds"))
        self._parts: list[Vectors] = []
        self._embedded = Embedded()

    def embed_request(self, offer: TicketOffer) -> EmbedRequest:
        """Returns what the replica of `offer` is asked."""
        request = EmbedRequest(ticket=offer.ticket)
        request.MergeFrom(self._embed)
        return request

    def heard(self, response: EmbedResponse) -> GenerateResponse:
        """Keeps what a replica said, and returns what it would have said of a generation."""
        event = response.WhichOneof("event")
        if event == "started":
            return GenerateResponse(started=response.started)
        if event == "vectors":
            self._parts.append(response.vectors)
            return GenerateResponse(delta=Delta())
        if event == "embedded":
            self._embedded = response.embedded
            return GenerateResponse(finished=Finished(input_tokens=response.embedded.input_tokens))
        return GenerateResponse()

    def answer(self) -> Embeddings:
        """Returns what came, once all has; ComptoirError where an input has no vector."""
        vectors = tuple(vector for part in self._parts for vector in _vectors(part))
        if len(vectors) != len(self._embed.inputs):
            raise out_of_protocol()
        return Embeddings(self.request_id, vectors, self._embedded)


def _input(each: str | Sequence[int]) -> EmbedInput:
    return EmbedInput(text=each) if isinstance(each, str) else EmbedInput(token_ids=TokenIds(ids=each))


def _vectors(part: Vectors) -> "Iterator[array.array[float]]":
    size_bytes = part.dimensions * _BYTES_PER_NUMBER
    if not size_bytes or len(part.values) % size_bytes:
        raise out_of_protocol()
    for start in range(0, len(part.values), size_bytes):
        vector = array.array("f", part.values[start : start + size_bytes])
        if sys.byteorder == "big":
            vector.byteswap()
        yield vector
