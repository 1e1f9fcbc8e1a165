"""The gRPC face of a generator."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import grpc
from comptoir.generator.v1 import generator_pb2, generator_pb2_grpc
from comptoir.ticket.v1 import ticket_pb2

from services.generator import wire
from services.generator.domain.generation import Delta, Finished, Order, Started
from services.generator.domain.generations import Generations
from services.generator.domain.ports import CallerGoneError, Signatures
from services.generator.domain.ticket import Claims
from services.kernel.clock import Clock
from services.kernel.errors import ComptoirError, Reason
from services.runtime.grpc.interceptors import read_request, reads_itself
from services.runtime.telemetry import counter

Context = grpc.aio.ServicerContext[Any, Any]


class GeneratorService(generator_pb2_grpc.GeneratorServiceServicer):
    """One method per RPC."""

    def __init__(self, generations: Generations, signatures: Signatures, clock: Clock) -> None:
        self._generations = generations
        self._signatures = signatures
        self._clock = clock
        self._refused = counter(
            "comptoir.generator.tickets_refused", unit="{ticket}", description="Tickets not accepted."
        )

    def add_to(self, server: grpc.aio.Server) -> None:
        """Registers the service."""
        generator_pb2_grpc.add_GeneratorServiceServicer_to_server(self, server)

    # The reader-writer form: a cancelled call cancels this very coroutine, in whatever phase it is.
    @reads_itself
    async def Generate(  # type: ignore[override] # noqa: N802 - the schema's name
        self, content: bytes, context: Context
    ) -> None:
        """Streams one answer."""
        order = self._order(content, context)

        async def send(message: Started | Delta | Finished) -> None:
            response = wire.response_from(message)  # outside, so that a defect of ours is no caller's leaving
            try:
                await context.write(response)
            except Exception as failure:  # grpc has no public type for a broken call
                raise CallerGoneError from failure

        await self._generations.serve(order, send)

    async def GetLoad(  # noqa: N802 - the schema's name
        self,
        request: generator_pb2.GetLoadRequest,  # noqa: ARG002 - the stub's signature
        context: Context,  # noqa: ARG002 - the stub's signature
    ) -> generator_pb2.GetLoadResponse:
        """Says how busy the replica is."""
        return wire.load_response_from(self._generations.load())

    def _order(self, content: bytes, context: Context) -> Order:
        received_seconds = self._clock.monotonic_seconds()
        claims = self._claims(content)
        request = read_request(generator_pb2.GenerateRequest.FromString, content)
        remaining_seconds = context.time_remaining()
        order = Order(
            claims=claims,
            turns=wire.turns_from(request),
            sampling=wire.sampling_from(request),
            is_streamed=request.is_streamed,
            received_seconds=received_seconds,
            received_at_microseconds=self._clock.wall_microseconds(),
            deadline_seconds=None if remaining_seconds is None else received_seconds + remaining_seconds,
        )
        with self._counting_refusals():
            self._generations.admit(claims)
        return order

    def _claims(self, content: bytes) -> Claims:
        """The claims of a ticket that is good now.

        Reading the rest of a message can take a thousand times as long, so it comes after.
        """
        ticket = read_request(ticket_pb2.TicketBearer.FromString, content).ticket
        with self._counting_refusals():
            if not self._signatures.is_valid(ticket.claims, ticket.signature, ticket.signing_key_number):
                raise ComptoirError(Reason.TICKET_INVALID)
            claims = wire.claims_from(ticket.claims)
            self._generations.check(claims)
        return claims

    @contextmanager
    def _counting_refusals(self) -> Iterator[None]:
        try:
            yield
        except ComptoirError as error:
            self._refused.add(1, {"reason": error.reason.name})
            raise
