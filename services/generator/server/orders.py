"""From a serialized request to an order whose ticket is good; the same for single and joined calls."""

from collections.abc import Callable
from typing import Final

from comptoir.generator.v1 import generator_pb2
from comptoir.ticket.v1 import ticket_pb2

from services.generator.domain.counting import CountOrder, TokenCounts
from services.generator.domain.embedding import EmbedOrder
from services.generator.domain.generation import Order
from services.generator.domain.generations import Generations
from services.generator.domain.ports import Signatures
from services.generator.domain.ticket import Claims
from services.generator.wire import orders
from services.kernel.clock import Clock
from services.kernel.errors import ComptoirError, Reason
from services.kernel.steps import Steps, finished, in_turns, turn
from services.runtime.grpc.interceptors import read_request
from services.runtime.grpc.long_requests import request_steps
from services.runtime.metrics.registry import generator as metrics
from services.runtime.telemetry import counter

# No request of this length takes longer than a millisecond or two to read, whatever its pieces.
_SHORT_BYTES: Final = 2 * 1024


class Orders:
    """Reads requests and counts the tickets that are not accepted."""

    def __init__(
        self, generations: Generations, counts: TokenCounts, signatures: Signatures, clock: Clock
    ) -> None:
        self._generations = generations
        self._counts = counts
        self._signatures = signatures
        self._clock = clock
        self._refused = counter(metrics.TICKETS_REFUSED)

    async def read(
        self,
        content: bytes,
        received_seconds: float,
        timeout_seconds: float | None,
        *,
        is_whole: bool = False,
    ) -> Order:
        """Returns the order; raises why its ticket is no good, or REQUEST_INVALID. Uses nothing up."""
        await turn()
        steps = self._read_steps(content, received_seconds, timeout_seconds, is_whole=is_whole)
        return finished(steps) if len(content) <= _SHORT_BYTES else await in_turns(steps)

    def _read_steps(
        self, content: bytes, received_seconds: float, timeout_seconds: float | None, *, is_whole: bool
    ) -> Steps[Order]:
        claims = self._claims(content, self._generations.check)
        yield
        request = yield from request_steps(
            generator_pb2.GenerateRequest.FromString, content, long="messages", pieces=orders.pieces_of
        )
        yield
        most_ids = min(self._counts.context_tokens, claims.max_input_tokens)
        prompt = yield from orders.prompt_steps(request, most_ids=most_ids)
        order = Order(
            claims=claims,
            prompt=prompt,
            sampling=orders.sampling_from(request),
            is_streamed=request.is_streamed,
            is_prompt_echoed=request.prompt.is_echoed,
            received_seconds=received_seconds,
            received_at_microseconds=self._clock.wall_microseconds(),
            deadline_seconds=None if timeout_seconds is None else received_seconds + timeout_seconds,
            structure=orders.structure_from(request),
            returns_token_ids=request.returns_token_ids,
            is_whole=is_whole,
        )
        # What comes next goes through all texts again.
        yield
        return order

    async def read_embedding(
        self, content: bytes, received_seconds: float, timeout_seconds: float | None
    ) -> EmbedOrder:
        """As `read`, of a request for vectors."""
        await turn()
        steps = self._read_embedding_steps(content, received_seconds, timeout_seconds)
        return finished(steps) if len(content) <= _SHORT_BYTES else await in_turns(steps)

    def _read_embedding_steps(
        self, content: bytes, received_seconds: float, timeout_seconds: float | None
    ) -> Steps[EmbedOrder]:
        claims = self._claims(content, self._generations.check_embedding)
        yield
        request = yield from request_steps(
            generator_pb2.EmbedRequest.FromString, content, long="inputs", pieces=orders.pieces_of_input
        )
        yield
        inputs = yield from orders.inputs_steps(
            request, context_tokens=self._counts.context_tokens, max_tokens=claims.max_input_tokens
        )
        return EmbedOrder(
            claims=claims,
            inputs=inputs,
            dimensions=request.dimensions,
            received_seconds=received_seconds,
            received_at_microseconds=self._clock.wall_microseconds(),
            deadline_seconds=None if timeout_seconds is None else received_seconds + timeout_seconds,
        )

    async def read_count(self, content: bytes) -> CountOrder:
        """Returns what is to be counted; raises why its ticket is no good, or REQUEST_INVALID."""
        await turn()
        steps = self._count_steps(content)
        return finished(steps) if len(content) <= _SHORT_BYTES else await in_turns(steps)

    def _count_steps(self, content: bytes) -> Steps[CountOrder]:
        claims = self._claims(content, self._counts.check)
        yield
        request = yield from request_steps(
            generator_pb2.CountTokensRequest.FromString, content, long="messages", pieces=orders.pieces_of
        )
        yield
        countable = yield from orders.countable_steps(request)
        yield
        return CountOrder(claims, countable, request.returns_token_ids)

    def admit(self, order: Order) -> None:
        """Uses the ticket up, or raises why not; the order must be served then."""
        self._admit(order.claims, self._generations.admit)

    def admit_embedding(self, order: EmbedOrder) -> None:
        """As `admit`, of a request for vectors."""
        self._admit(order.claims, self._generations.admit_embedding)

    def _admit(self, claims: Claims, admit: Callable[[Claims], None]) -> None:
        try:
            admit(claims)
        except ComptoirError as refusal:
            self._count(refusal)
            raise

    def _claims(self, content: bytes, check: Callable[[Claims], None]) -> Claims:
        """Returns the claims of a ticket that is good now.

        Reading the rest of a message can take a thousand times as long, so it comes after.
        """
        ticket = read_request(ticket_pb2.TicketBearer.FromString, content).ticket
        try:
            return self._checked(ticket, check)
        except ComptoirError as refusal:
            self._count(refusal)
            raise

    def _checked(self, ticket: ticket_pb2.SignedTicket, check: Callable[[Claims], None]) -> Claims:
        if not self._signatures.is_valid(ticket.claims, ticket.signature, ticket.signing_key_number):
            raise ComptoirError(Reason.TICKET_INVALID)
        claims = orders.claims_from(ticket.claims)
        check(claims)
        return claims

    def _count(self, refusal: ComptoirError) -> None:
        self._refused.add(1, {"reason": refusal.reason.name})
