"""The RPCs of a generator for its callers."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any, Final, TypeAlias

import grpc
from comptoir.generator.v1 import generator_pb2, generator_pb2_grpc
from google.protobuf.message import Message as ProtoMessage

from services.generator.domain.counting import TokenCounts
from services.generator.domain.embedding import EmbedMessage
from services.generator.domain.generation import Message
from services.generator.domain.generations import Generations
from services.generator.domain.model_description import ModelDescription
from services.generator.domain.ports import CallerGoneError, Signatures
from services.generator.domain.whole_answer import WholeAnswer
from services.generator.server.joined import JoinedGenerations
from services.generator.server.orders import Orders
from services.generator.wire import answers
from services.kernel.clock import Clock
from services.kernel.steps import in_turns
from services.runtime.grpc.interceptors import learn_rules, reads_itself, writes_itself
from services.runtime.grpc.server import GrpcServer

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"

# The headers of GenerateWhole, once its ticket is used up: by them a caller whose connection broke knows that
# the replica may have worked on it. A refusal has none, as a stream that is refused has no Started.
_ACCEPTED: Final = (("comptoir-accepted", "1"),)


class GeneratorService(generator_pb2_grpc.GeneratorServiceServicer):
    """One method per RPC."""

    def __init__(
        self,
        server: GrpcServer,
        generations: Generations,
        counts: TokenCounts,
        signatures: Signatures,
        clock: Clock,
        model: ModelDescription,
    ) -> None:
        self._streams = server.joined
        self._generations = generations
        self._counts = counts
        self._orders = Orders(generations, counts, signatures, clock)
        self._clock = clock
        self._model = model
        generator_pb2_grpc.add_GeneratorServiceServicer_to_server(self, server.server)
        learn_rules(generator_pb2.DESCRIPTOR.services_by_name["GeneratorService"])

    # The reader-writer form: a cancelled call cancels this very coroutine, in whatever phase it is.
    @reads_itself
    async def Generate(  # type: ignore[override] # noqa: N802 - the schema's name
        self, content: bytes, context: Context
    ) -> None:
        """Streams one answer."""
        order = await self._orders.read(content, self._clock.monotonic_seconds(), context.time_remaining())
        self._orders.admit(order)

        async def send(message: Message) -> None:
            await _write(context, answers.response_from(message))

        await self._generations.deliver(order, send)

    @reads_itself
    async def GenerateWhole(  # type: ignore[override] # noqa: N802 - the schema's name
        self, content: bytes, context: Context
    ) -> generator_pb2.GenerateWholeResponse:
        """Gives one answer in one message."""
        received_seconds = self._clock.monotonic_seconds()
        order = await self._orders.read(content, received_seconds, context.time_remaining(), is_whole=True)
        self._orders.admit(order)
        # Beside the serving: once a ticket is used up, nothing is awaited before its order is served.
        telling = asyncio.create_task(_tell_accepted(context))
        answer = WholeAnswer()
        try:
            await self._generations.serve(order, answer.put)
        finally:
            await telling
        return answers.whole_from(answer)

    async def GenerateMany(  # type: ignore[override] # noqa: N802 - the schema's name
        self, requests: AsyncIterator[generator_pb2.GenerateManyRequest], context: Context
    ) -> None:
        """Streams many answers."""
        stream = JoinedGenerations(self._streams, self._generations, self._orders, self._clock)
        await stream.answers.serve(requests, stream.receive, context.write)

    @reads_itself
    async def Embed(  # type: ignore[override] # noqa: N802 - the schema's name
        self, content: bytes, context: Context
    ) -> None:
        """Makes vectors."""
        received_seconds = self._clock.monotonic_seconds()
        order = await self._orders.read_embedding(content, received_seconds, context.time_remaining())
        self._orders.admit_embedding(order)

        async def send(message: EmbedMessage) -> None:
            await _write(context, answers.embed_response_from(message))

        await self._generations.embed(order, send)

    @reads_itself
    @writes_itself
    async def CountTokens(  # type: ignore[override] # noqa: N802 - the schema's name
        self,
        content: bytes,
        context: Context,  # noqa: ARG002 - the stub's signature
    ) -> bytes:
        """Counts the tokens of a prompt."""
        order = await self._orders.read_count(content)
        ids = await self._counts.count(order)
        told_ids = ids if order.returns_ids else ()
        return await in_turns(answers.counted_steps(len(ids), self._counts.context_tokens, told_ids))

    async def GetLoad(  # noqa: N802 - the schema's name
        self,
        request: generator_pb2.GetLoadRequest,  # noqa: ARG002 - the stub's signature
        context: Context,  # noqa: ARG002 - the stub's signature
    ) -> generator_pb2.GetLoadResponse:
        """Says how busy the replica is."""
        return answers.load_response_from(self._generations.load())

    async def GetModelInfo(  # noqa: N802 - the schema's name
        self,
        request: generator_pb2.GetModelInfoRequest,  # noqa: ARG002 - the stub's signature
        context: Context,  # noqa: ARG002 - the stub's signature
    ) -> generator_pb2.GetModelInfoResponse:
        """Says what the replica serves."""
        return answers.model_response_from(self._model)


async def _tell_accepted(context: Context) -> None:
    # A caller that is gone needs no header, and its call is cancelled: gRPC has no public type for that.
    with contextlib.suppress(Exception):
        await context.send_initial_metadata(_ACCEPTED)


async def _write(context: Context, response: ProtoMessage) -> None:
    # What is written was made before, so that a defect of ours is no caller's leaving.
    try:
        await context.write(response)
    except Exception as failure:  # gRPC has no public type for a broken call
        raise CallerGoneError from failure
